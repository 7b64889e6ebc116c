#!/bin/sh
# Takes away what create.sh made.
path=$(cat | sed -n 's/.*"path":"\([^"]*\)".*/\1/p')
[ -n "$path" ] && rm -rf -- "$path"
