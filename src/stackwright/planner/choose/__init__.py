"""The choice between models and between ecosystems: options, which is cheaper, what each is bound to."""
