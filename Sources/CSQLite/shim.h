#ifndef CSQLITE_SHIM_H
#define CSQLITE_SHIM_H

#include <sqlite3.h>

// A cast, which Swift can't import: SQLite copies what is bound.
static inline sqlite3_destructor_type csqlite_transient(void) { return SQLITE_TRANSIENT; }

// Variadic in C. Turns one of the settings SQLITE_DBCONFIG_* on or off.
static inline int csqlite_configure(sqlite3 *connection, int setting, int value) {
    return sqlite3_db_config(connection, setting, value, (int *)0);
}

#endif
