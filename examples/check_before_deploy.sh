#!/bin/sh
# Deploy models only where every one of them is whole: safeload's exit code is the answer.
#
#     examples/check_before_deploy.sh MODELS TARGET
#
# MODELS is a folder above BERT models. What is wrong with each stands in MODELS-report.json.
set -u
models=${1:?the folder of the models} target=${2:?where they are deployed}

safeload check bert "$models" --json > "$models-report.json"
case $? in
0) cp -R "$models" "$target" && echo "deployed to $target" ;;
1) echo "not deployed: a model is bad, see $models-report.json" >&2; exit 1 ;;
*) echo "not deployed: the command is wrong" >&2; exit 2 ;;
esac
