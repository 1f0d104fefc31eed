/** Bytes as lower-case hexadecimal digits. Copies nothing: it is called for each message. */
export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
