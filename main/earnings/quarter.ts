/** Ledger and energy are kept by quarters of an hour: every time zone's hours, half hours and midnights are such moments. */
export const quarterMs = 15 * 60_000
