"""What leaves the host: bundles for the runtime, TensorFlow Lite files for its peers."""
