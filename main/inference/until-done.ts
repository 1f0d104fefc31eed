/** The line that ends a stream: in JSON no line can begin so. */
const lastLine = /(?:^|[\r\n])data: ?\[DONE\][ \t]*[\r\n]/
/** Of what came before, as much as may belong to that line. */
const mostBegun = 32
/** The end of the body mostly comes at once behind it, and then its connection serves again. */
const mostWaitMs = 1_000

/**
 * Server-sent events up to `data: [DONE]`, or to the end of the body. Some servers keep the connection open behind it, or break it: that is no part of the
 * answer. Without a generator, which would double the work for each part.
 */
export function untilDone(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]: () => {
      const parts = body[Symbol.asyncIterator]()
      let begun = ''
      let isWhole = false
      const look = (next: IteratorResult<Uint8Array>): IteratorResult<Uint8Array> => {
        if (next.done) return next
        const { buffer, byteOffset, byteLength } = next.value
        const text = begun + Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
        isWhole = lastLine.test(text)
        begun = text.slice(-mostBegun)
        return next
      }
      const end = async (): Promise<IteratorResult<Uint8Array>> => {
        await parts.return?.()
        return { done: true, value: undefined }
      }
      return {
        next: () => (isWhole ? ended(parts).then(end) : parts.next().then(look)),
        return: end,
      }
    },
  }
}

/** Resolves with the end of the body, with what came in its place, or after a while. */
async function ended(parts: AsyncIterator<Uint8Array>): Promise<void> {
  const over = Promise.withResolvers<void>()
  const timer = setTimeout(over.resolve, mostWaitMs)
  await Promise.race([parts.next().catch(() => undefined), over.promise])
  clearTimeout(timer)
}
