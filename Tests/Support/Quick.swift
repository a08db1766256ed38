internal import Glibc

/// Whether this is `scripts/test quick`: tests that take seconds are left to `scripts/test` then.
public let isQuick = getenv("USB9PFS_QUICK") != nil

/// Whether a sanitizer looks on, which takes terabytes of address space: nothing can be limited to less.
public let isSanitized = getenv("USB9PFS_SANITIZER") != nil
