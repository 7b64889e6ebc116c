#!/bin/sh
# A backend that is done when it is let: it copies once the file $1 is gone or holds another word.
order=$(cat)
field() { printf '%s' "$order" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
held=$(cat "$1" 2>/dev/null)
: >"$1.begun"
while [ -n "$held" ] && [ "$(cat "$1" 2>/dev/null)" = "$held" ]; do sleep 0.02; done
# The place of the copies is hidden in the share's root, and `*` passes it over.
mkdir "$(field path)" && cp -a "$(field source)"/* "$(field path)"
