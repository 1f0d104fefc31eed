import { Failure } from '../base/failure.ts'

/** What one token takes at most of an answer's bytes, with the event around it; each alternative that was asked for comes on top. */
const tokenBytes = 2048
const alternativeBytes = 512
/** Head, end and usage of an answer. */
const restBytes = 64 << 10

/** Most bytes of an answer of `tokens` tokens with so many alternatives told for each. */
export function mostAnswerBytes(tokens: number, alternatives: number): number {
  return tokens * (tokenBytes + alternatives * alternativeBytes) + restBytes
}

/**
 * The answer as it comes, up to `mostBytes`. More of them than the limit of its tokens explains are not read: a proxy may be believed a token for each.
 * @throws Failure `answer-too-large`
 */
export async function* bounded(body: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const part of body) {
    length += part.length
    if (length > mostBytes) throw new Failure('answer-too-large', 'The answer is longer than its limit allows.')
    yield part
  }
}
