// One instruction of ARMv8.2: an illegal instruction on a Cortex-A53 or A72.
    .arch   armv8.2-a+dotprod
    .global _start
_start:
    sdot    v0.4s, v1.16b, v2.16b
    mov     x0, #0
    mov     x8, #93
    svc     #0
