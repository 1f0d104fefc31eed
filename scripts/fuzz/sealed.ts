import { publicKeyOfSeed } from '../../contracts/signed.ts'
import { type JsonObject, JsonTextError, parseJson, writeJson } from '../../main/protocol/requests/json-text.ts'
import { AnswerOpener } from '../../main/protocol/sealed/direct/answer-opener.ts'
import { AnswerSealer } from '../../main/protocol/sealed/direct/answer-sealer.ts'
import { sealedErrorIn } from '../../main/protocol/sealed/direct/refusals.ts'
import { readSealedRequest, sealRequest } from '../../main/protocol/sealed/direct/request.ts'
import { KeyRefused, SealBroken, SealRefused } from '../../main/protocol/sealed/direct/seal-errors.ts'
import { readKey, verifyKey } from '../../main/protocol/sealed/direct/worker-key.ts'
import { TextCount } from '../../main/protocol/sealed/recount.ts'
import { headFor, model, question, ringOf, root } from '../../main/protocol/sealed/testing/sealing-scene.ts'
import { openAnswer, sealAnswer } from '../../main/protocol/sealed/v1/answers.ts'
import { openObject, pairing, sealObject } from '../../main/protocol/sealed/v1/envelope.ts'
import { EnvelopeError } from '../../main/protocol/sealed/v1/envelope-error.ts'
import { textBytes } from './golden.ts'
import { type FuzzTarget, piecesOf, refusing } from './target.ts'

const key = await ringOf().current()
const request = await sealRequest(question(), headFor(key), key)
const secret = new Uint8Array(32).fill(1)
const enc = new Uint8Array(32).fill(2)
const sealed = new AnswerSealer(secret, enc)
const answer = Buffer.concat([
  sealed.seal('data', textBytes('data: {"choices":[{"delta":{"content":"x"}}]}\n\n')),
  sealed.seal('end', enc),
])

/** A worker's key as a client reads it, a request as proxy and worker do. */
function keyOrRequest(input: Uint8Array): void {
  refusing(() => verifyKey(readKey(input), { root, model, nowMs: key.createdAtMs }), KeyRefused)
  refusing(() => void readSealedRequest(input), SealRefused)
}

const kinds = ['head', 'data', 'end', 'error'] as const

/** An answer from outside, and what a worker that holds the keys may put into it. */
function answers(input: Uint8Array): void {
  const text = new TextCount()
  refusing(() => {
    const opener = new AnswerOpener(secret, enc)
    for (const piece of piecesOf(input)) opener.push(piece)
    opener.finish()
  }, SealBroken)
  const kind = kinds[(input[0] ?? 0) & 3] ?? 'data'
  refusing(() => {
    const [sealer, opener] = [new AnswerSealer(secret, enc), new AnswerOpener(secret, enc)]
    for (const piece of opener.push(sealer.seal(kind, input))) if (piece.kind === 'data') text.push(piece.bytes)
  }, SealBroken)
  for (const piece of piecesOf(input)) text.push(piece)
  const { expectedTokens, toleratedTokens } = text.finish(null)
  if (!(expectedTokens >= 0 && toleratedTokens >= 32)) throw new Error('a count that is none')
  sealedErrorIn(new TextDecoder().decode(input))
}

const [clientSeed, workerSeed] = [new Uint8Array(32).fill(5), new Uint8Array(32).fill(6)]
const forClient = pairing(clientSeed, publicKeyOfSeed(workerSeed))
const forWorker = pairing(workerSeed, publicKeyOfSeed(clientSeed))
const chat = parseJson('{"model":"M","messages":[{"role":"user","content":"hello"}],"max_tokens":5}') as JsonObject
const envelope = textBytes(writeJson(sealObject(chat, forClient, 'c')))
const events = sealAnswer('text/event-stream', forWorker).push(textBytes('data: {"choices":[]}\n\ndata: [DONE]\n\n'))

function envelopes(input: Uint8Array): void {
  refusing(
    () => {
      const value = parseJson(new TextDecoder().decode(input))
      if (value instanceof Map) openObject(value, forWorker, 'c')
    },
    EnvelopeError,
    JsonTextError,
  )
  for (const type of ['text/event-stream', 'application/json'])
    refusing(() => {
      const change = openAnswer(type, forClient)
      for (const piece of piecesOf(input)) change.push(piece)
      change.finish()
    }, EnvelopeError)
}

const words = ['ENC_', 'DEC_', '"is_encrypted":"v1"', '"encryption_nonce":', 'data: ', '\n\n', '{', '}', 'ab'.repeat(16), 'CDA1']

/** Sealed queries: what proxies, workers and clients read of each other before and behind the seal. */
export const sealedTargets: readonly FuzzTarget[] = [
  {
    name: 'sealed-request',
    regressions: 'main/protocol/sealed/regressions-request.json',
    corpus: [key.signedKey, request.bytes],
    dictionary: [key.statement.slice(0, 4), key.id, textBytes('0:'), textBytes(root.toRawString())],
    run: keyOrRequest,
  },
  {
    name: 'sealed-answer',
    regressions: 'main/protocol/sealed/regressions-answer.json',
    corpus: [answer, question(), events],
    dictionary: words.map(textBytes),
    run: answers,
  },
  {
    name: 'envelope',
    regressions: 'main/protocol/sealed/regressions-envelope.json',
    corpus: [envelope, events],
    dictionary: words.map(textBytes),
    run: envelopes,
  },
]
