/** An encrypted request or answer that does not hold (protocol 95 §4). Its message names no content. */
export class EnvelopeError extends Error {}
