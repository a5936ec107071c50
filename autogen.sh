#!/bin/sh
# Makes configure from configure.ac, for a checkout.
set -e
cd "$(dirname "$0")"
mkdir -p m4 build-aux
exec autoreconf --install --force "$@"
