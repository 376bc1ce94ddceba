"""What a notebook calls: workspace, Drive, the training process and its live panel."""
