"""Does the runtime compute what Keras computes, on every processor, level and number of threads?"""
