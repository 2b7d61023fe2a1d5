// 1,000 passes through 16 independent FMLA: bound by the multipliers alone.
// In the region: 1 + 1000 * (16 + 2) + 3 instructions.
    .global _start
_start:
    mov     x0, #-1001
    mov     x8, #57             // close
    svc     #0
    mov     x1, #1000
1:
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    fmla    v\n\().4s, v16.4s, v17.4s
    .endr
    subs    x1, x1, #1
    b.ne    1b
    mov     x0, #-1002
    mov     x8, #57
    svc     #0
    mov     x0, #0
    mov     x8, #93             // exit
    svc     #0
