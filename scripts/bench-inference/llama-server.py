"""llama.cpp's own HTTP server by its Python package xllamacpp, to be compared with. Ends with its standard input.

llama-server.py model.gguf threads places context-of-each
"""

import sys

import xllamacpp

model, threads, places, context = sys.argv[1], *map(int, sys.argv[2:5])
params = xllamacpp.CommonParams()
params.model.path = model
params.hostnames = ["127.0.0.1"]
params.port = 0
params.cpuparams.n_threads = threads
params.cpuparams_batch.n_threads = threads
params.n_parallel = places
params.n_ctx = context * places
params.n_gpu_layers = 0
params.n_threads_http = 16
server = xllamacpp.Server(params)
print(f"{server.listening_address} {xllamacpp.__version__}", flush=True)
sys.stdin.read()
