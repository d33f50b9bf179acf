#!/bin/sh
# Removes from installed packages what no job uses. Each job pulls the image, so its size is time that is paid for.
#   remove_unused.sh <folder with the packages>
set -eu
cd "$1"
# The packages' own tests, and what only compilers read.
find . -type d \( -name tests -o -name test -o -path ./torch/include \) -prune -exec rm -rf {} +
find . -type f \( -name "*.h" -o -name "*.hpp" -o -name "*.cuh" -o -name "*.a" -o -name "*.pxd" -o -name "*.pyi" \
    -o -name "*.cmake" \) -delete
# PyTorch's test programs and the compiler of protocol buffers; importing torch asks for the one that stays.
find . -path "./torch/bin/*" -type f ! -name torch_shm_manager -delete
# The web page of MLflow's server, and the network protocol of Arrow.
rm -rf mlflow/server/js
rm -f pyarrow/libarrow_flight* pyarrow/libarrow_python_flight* pyarrow/_flight*
# Bytecode of PyTorch's compiler and its algebra, which training does not load. Without it they still work.
find ./sympy ./torch/_inductor ./torch/_dynamo -type d -name __pycache__ -prune -exec rm -rf {} +
