#!/usr/bin/env bash
# The server's request path allocates no memory: counts malloc in p9serve over a thousand and over three thousand requests.
#
# A Twalk that binds a fid is the exception: it allocates what the fid stands for, and its Tclunk frees it.
set -euo pipefail
. "$(dirname "$0")/lib/test.sh"
need_packages gcc libc6-dev python3
need_programs

cat >"$work/count.c" <<'C'
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
static atomic_long count;
void *malloc(size_t size) { atomic_fetch_add(&count, 1); return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { atomic_fetch_add(&count, 1); return __libc_calloc(number, size); }
__attribute__((destructor)) static void report(void) { fprintf(stderr, "allocations %ld\n", (long)count); }
C
gcc -O2 -shared -fPIC "$work/count.c" -o "$work/count.so"
mkdir "$work/tree"
head -c 10000 /dev/zero >"$work/tree/file"
chown -R "$developer_uid:$developer_gid" "$work/tree"
user timeout 600 python3 "$programs/allocations.py" "$p9serve" "$work/count.so" "$work/tree"
