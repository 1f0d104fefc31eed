const mostCharacters = 500

/** Text from a file, for a terminal: on one line, without control or format characters, so that it can forge no line, and not too long. */
export const plain = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').slice(0, mostCharacters)
