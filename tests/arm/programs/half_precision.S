// One instruction of ARMv8.2: an illegal instruction on a Cortex-A53 or A72.
    .arch   armv8.2-a+fp16
    .global _start
_start:
    fmla    v0.8h, v1.8h, v2.8h
    mov     x0, #0
    mov     x8, #93
    svc     #0
