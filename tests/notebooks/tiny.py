"""An IPython startup file of the tests: wraps the notebooks' calls so that they get tiny sizes. The cells stay as they are."""


def _wrap_the_calls():
    import functools
    import json
    import os

    import sg2ada_colab

    with open(os.environ["SG2ADA_TEST_SIZES"], encoding="utf-8") as file:
        sizes = json.load(file)

    def with_sizes(call, given):
        import inspect

        @functools.wraps(call)
        def wrapped(*args, **kwargs):
            bound = inspect.signature(call).bind(*args, **kwargs)
            words = dict(bound.arguments)
            more = words.pop("options", {})
            return call(**dict(words, **dict(more, **given)))

        return wrapped

    for name, given in sizes.items():
        setattr(sg2ada_colab, name, with_sizes(getattr(sg2ada_colab, name), given))


_wrap_the_calls()
del _wrap_the_calls
