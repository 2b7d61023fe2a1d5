"""Export formats: bundles for the runtime, TensorFlow Lite files for its peers."""
