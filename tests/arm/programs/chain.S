// 1,000 multiplications, each waiting for the one before: bound by latency, not by throughput.
    .global _start
_start:
    mov     x0, #-1001
    mov     x8, #57
    svc     #0
    mov     x1, #1000
1:
    fmul    v0.4s, v0.4s, v17.4s
    subs    x1, x1, #1
    b.ne    1b
    mov     x0, #-1002
    mov     x8, #57
    svc     #0
    mov     x0, #0
    mov     x8, #93
    svc     #0
