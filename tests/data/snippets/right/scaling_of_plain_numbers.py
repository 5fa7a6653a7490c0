objective = 0.1
slope = 1e-7

large = objective * 1024
large_slope = slope * 1024
slope = large_slope / 1024
