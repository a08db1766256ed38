internal import Glibc

/// Whether this is `scripts/test quick`: tests that take seconds are left to `scripts/test` then.
public let isQuick = getenv("USB9PFS_QUICK") != nil
