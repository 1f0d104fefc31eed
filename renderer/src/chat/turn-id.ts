const bytes = 16

/** An id for one sending, 32 hex letters: nobody else makes the same. */
export const newTurnId = (): string =>
  [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
