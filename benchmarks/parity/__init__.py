"""Does the runtime compute what Keras computes, on every processor, instruction set and number of threads?"""
