"""A small stand-in for the class that stylegan2-ada unpickles networks into: runs the embedded source under TensorFlow 1.14.

Own code, after the description of what that loader does: it executes `build_module_src` in a new module, takes the function
`build_func_name`, gives one float32 placeholder of unknown shape for each parameter without a default, and fills every variable
that the graph creates from the pickle. Run as `python -m tests.oracles.tflib_loader FOLDER…`:
each folder holds n.pkl and in.npz, and gets out.npz.
"""

import inspect
import pickle
import sys
from collections import OrderedDict
from types import ModuleType

import numpy as np


class EasyDict(dict):
    __getattr__ = dict.__getitem__


class Network:
    def __setstate__(self, state):
        assert state["version"] in (2, 3, 4, 5)
        self.name, self.static_kwargs = state["name"], dict(state["static_kwargs"])
        self.components = EasyDict(state.get("components", {}))
        module = ModuleType("_tflib_network_" + self.name)
        exec(compile(state["build_module_src"], module.__name__, "exec"), module.__dict__)
        self.build = getattr(module, state["build_func_name"])
        self.values, self.vars, self.scope = OrderedDict(state["variables"]), None, None
        parameters = inspect.signature(self.build).parameters.values()
        self.inputs = [p.name for p in parameters if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD]

    def init_graph(self):
        import tensorflow as tf

        if self.vars is not None:
            return
        self.scope = tf.get_default_graph().unique_name(self.name)
        with tf.name_scope(self.scope + "_template/"):
            self.placeholders = [tf.placeholder(tf.float32, name=name) for name in self.inputs]
        with tf.variable_scope(tf.VariableScope(reuse=False, name=self.scope), auxiliary_name_scope=False):
            output = self.build(*self.placeholders, is_template_graph=True, components=self.components, **self.static_kwargs)
        assert all(p.shape.ndims is not None for p in self.placeholders), "an input's shape was not set"
        assert output.shape.ndims is not None, "the output's shape is not known"
        self.input_shapes = [p.shape.as_list() for p in self.placeholders]
        self.output_shapes = [output.shape.as_list()]
        self.vars = OrderedDict((v.name[len(self.scope) + 1 :].split(":")[0], v) for v in tf.global_variables(self.scope + "/"))
        missing = [name for name in self.vars if name not in self.values]
        assert not missing, f"not in the pickle: {missing}"
        feed = {}
        for name, variable in self.vars.items():
            assert variable.shape.as_list() == list(np.shape(self.values[name])), name
            feed[variable.initializer.inputs[1]] = self.values[name]
        tf.get_default_session().run([variable.initializer for variable in self.vars.values()], feed)

    def get_output_for(self, *inputs, **dynamic_kwargs):
        import tensorflow as tf

        self.init_graph()
        kwargs = dict(self.static_kwargs, is_template_graph=False, components=self.components)
        kwargs.update(dynamic_kwargs)
        # An absolute scope, whatever scope the caller is in.
        with tf.variable_scope(tf.VariableScope(reuse=True, name=self.scope), auxiliary_name_scope=False):
            return self.build(*inputs, **kwargs)

    def run(self, *arrays, **dynamic_kwargs):
        import tensorflow as tf

        self.init_graph()
        inputs = [None if array is None else tf.placeholder(tf.float32) for array in arrays]
        feed = {tensor: array for tensor, array in zip(inputs, arrays) if tensor is not None}
        return tf.get_default_session().run(self.get_output_for(*inputs, **dynamic_kwargs), feed)


def load(path):
    """Unpickle with NVIDIA's class name standing for the class above."""
    for name in ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network"):
        sys.modules[name] = ModuleType(name)
    sys.modules["dnnlib.tflib.network"].Network = Network
    with open(path, "rb") as file:
        return pickle.load(file)


def evaluate(networks, given, session):
    """Return dict name → array: what the tools ask of the networks."""
    G, D, Gs = networks
    z, labels, fixed, results = given["z"], given["labels"], {"randomize_noise": False}, {}
    # What the tools pass, and something that nobody knows.
    extra = {"dtype": "float32", "mapping_dtype": "float32", "num_fp16_res": 0, "fused_modconv": True, "something_else": 1}
    results["psi1"] = Gs.run(z, labels, is_validation=True, **fixed, **extra)  # without truncation
    results["psi05"] = Gs.run(z, labels, **fixed)  # the default
    results["cutoff"] = Gs.run(z, labels, truncation_psi=0.5, truncation_cutoff=2, **fixed)
    results["w"] = Gs.components.mapping.run(z, labels)
    results["synthesis"] = Gs.components.synthesis.run(results["w"], **fixed)
    _, results["returned_w"] = Gs.run(z, labels, truncation_psi=1, return_dlatents=True, **fixed)
    results["training"] = G.run(z, labels, is_training=True, style_mixing_prob=None, **fixed)
    results["average_after"] = session.run(G.vars["dlatent_avg"])
    results["mixed"] = G.run(z, labels, is_training=True, style_mixing_prob=1.0, **fixed)
    results["random_noise"] = Gs.run(z, labels, truncation_psi=1)
    results["scores"] = D.run(given["images"], given["D_labels"], augment_strength=0.1, is_training=True)
    if not labels.shape[1]:
        results["w_without_labels"] = Gs.components.mapping.run(z, None)
    results["names"] = np.array(sorted(v.name.split(":")[0] for v in Gs.components.synthesis.vars.values()))
    results["own"] = np.array(sorted(Gs.vars))
    results["D_shapes"] = np.array(str((D.input_shapes, D.output_shapes)))
    return results


def main(*folders):
    import tensorflow as tf

    assert tf.__version__.startswith("1.14")
    config = tf.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True  # each output is asked for once; optimising takes longer
    for folder in folders:
        with tf.Graph().as_default(), tf.Session(config=config) as session:
            results = evaluate(load(folder + "/n.pkl"), np.load(folder + "/in.npz"), session)
            results["trainable"] = np.array(sorted(v.name.split(":")[0] for v in tf.trainable_variables()))
        np.savez(folder + "/out.npz", **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
