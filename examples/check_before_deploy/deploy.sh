#!/bin/sh
# Copy a folder of models to its place only if each model is good.
#
#     deploy.sh MODELS TARGET
#
# MODELS-report.json says what is wrong with each model.
set -u
models=${1:?the folder of the models} target=${2:?where to copy it}

safeload check "$models" --json > "$models-report.json"
case $? in
0) cp -R "$models" "$target" && echo "deployed to $target" ;;
1) echo "not deployed: a model is bad, see $models-report.json" >&2; exit 1 ;;
*) echo "not deployed: the command is wrong" >&2; exit 2 ;;
esac
