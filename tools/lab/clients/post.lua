-- wrk: POST of 256 KiB.
wrk.method = "POST"
wrk.body = string.rep("x", 262144)
