import { Cell } from '@ton/core'
import { LayoutError } from '../../contracts/cells.ts'
import { parseClientMessage, parseClientState } from '../../contracts/client.ts'
import { parseCocoonWalletState, parseWalletOrder, parseWalletOwnerMessage } from '../../contracts/cocoon-wallet.ts'
import { parseParams } from '../../contracts/params.ts'
import { parseProxyMessage, parseProxyOrder, parseProxyState } from '../../contracts/proxy.ts'
import { parseRootState } from '../../contracts/root.ts'
import { parseSigned } from '../../contracts/signed.ts'
import { parseWorkerMessage, parseWorkerState } from '../../contracts/worker.ts'
import { Failure } from '../../main/base/failure.ts'
import { tinyGguf } from '../../main/inference/testing/tiny-gguf.ts'
import { parseGgufHeader } from '../../main/models/gguf.ts'
import { BadHeader, NeedMoreBytes } from '../../main/models/header-reader.ts'
import { memoryNeed } from '../../main/models/memory-need.ts'
import { JsonStreamCounter } from '../../main/protocol/accounting/json-stream-counter.ts'
import { SseCounter } from '../../main/protocol/accounting/sse-counter.ts'
import { UsageMeter } from '../../main/protocol/accounting/usage-meter.ts'
import { AttestationError } from '../../main/protocol/attestation/attestation-error.ts'
import { readFakeQuote } from '../../main/protocol/attestation/fake-tdx.ts'
import { readPemChain } from '../../main/protocol/attestation/intel-chain.ts'
import { readRevocationList } from '../../main/protocol/attestation/revocation-list.ts'
import { readQeIdentity, readTcbInfo } from '../../main/protocol/attestation/signed-collateral.ts'
import { evidenceWith } from '../../main/protocol/attestation/testing/synthetic-intel.ts'
import { readPeerCertificate } from '../../main/protocol/attestation/verify.ts'
import { openQuote } from '../../main/protocol/attestation/verify-quote.ts'
import { decodeHttpRequest, decodeHttpResponse, encodeHttpRequest } from '../../main/protocol/http/http-message.ts'
import { SseTooLongError } from '../../main/protocol/http/sse-splitter.ts'
import { checkPayment } from '../../main/protocol/payments/signed-payment.ts'
import { readForm, writeForm } from '../../main/protocol/requests/form.ts'
import { JsonTextError, parseJson, writeJson } from '../../main/protocol/requests/json-text.ts'
import { validateTranscription } from '../../main/protocol/requests/transcription.ts'
import { validateRequest } from '../../main/protocol/requests/validate-request.ts'
import { scriptedNetwork } from '../../main/protocol/testing/scripted-network.ts'
import { readVectors } from '../../main/protocol/testing/vector-cases.ts'
import { decode, encode, nameOf } from '../../main/protocol/tl/codec.ts'
import { plans } from '../../main/protocol/tl/plan.ts'
import { TlError } from '../../main/protocol/tl/tl-error.ts'
import { FrameParser } from '../../main/protocol/wire/frames.ts'
import { peerInfoHeaderBytes, readPeerInfo, readPeerInfoLength } from '../../main/protocol/wire/peer-info.ts'
import { challengeBytes, PowError, readChallenge, verify } from '../../main/protocol/wire/proof-of-work.ts'
import { readTcpPacket } from '../../main/protocol/wire/tcp-packets.ts'
import { WireError } from '../../main/protocol/wire/wire-error.ts'
import { readClientForm } from '../../main/roles/http/client-form.ts'
import { readClientRequest } from '../../main/roles/http/client-request.ts'
import { hexBytes, recordedFrames, textBytes, valuesNamed } from './golden.ts'
import { grownCells } from './grow-cells.ts'
import { sealedTargets } from './sealed.ts'
import { type FuzzTarget, piecesOf, refusing } from './target.ts'

const frames = recordedFrames(400)
/** Ids of the schema as they stand on the wire, and both forms of Bool. */
const ids = [...plans.values()].map(({ id }) => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, id, true)
  return bytes
})
const httpRequests = valuesNamed('wire/session_short_auth_all_requests', 'hex')
  .map(hexBytes)
  .filter((bytes) => nameOf(bytes) === 'client.runQueryEx')
  .map((bytes) => decode(bytes, 'client.runQueryEx').query.slice())
const validations = readVectors<{ url: string; body: string }[]>('accounting/request_validation')
const words = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\',
  '\\u0000',
  '\\ud800',
  'true',
  'null',
  '-0',
  '1e999',
  '18446744073709551616',
  ' ',
  '\n',
]
const chatWords = [
  '"model":"M"',
  '"messages":[]',
  '"stream":true',
  '"stream_options":{}',
  '"max_tokens":1',
  '"n":0',
  '"timeout":1',
  '"__proto__":{}',
]
/** Small ones read fast; the contracts’ code adds nothing but size. */
const bocs = [...new Set(valuesNamed('contracts/contracts', 'boc_hex'))].map(hexBytes).filter(({ length }) => length < 3_000)

/** What was taken must be writable. */
function tl(input: Uint8Array): void {
  const name = nameOf(input)
  if (name === undefined) return refusing(() => void decode(input, 'tcp.ping'), TlError)
  const value = refusing(() => decode(input, name), TlError)
  if (value !== undefined) encode(value)
}

function frame(input: Uint8Array): void {
  const parser = new FrameParser()
  refusing(
    () => {
      for (const piece of piecesOf(input))
        parser.push(piece, (payload) => {
          const packet = readTcpPacket(payload)
          if ('data' in packet) tl(packet.data)
        })
    },
    WireError,
    TlError,
  )
}

/** As a worker reads a query, and a client what it was asked for. */
function http(input: Uint8Array): void {
  refusing(() => void decodeHttpResponse(input), TlError)
  const request = refusing(() => decodeHttpRequest(input), TlError)
  if (request === undefined) return
  refusing(() => {
    const text = refusing(() => new TextDecoder('utf-8', { fatal: true }).decode(request.body), TypeError)
    if (text === undefined) return
    const valid = validateRequest(request.path, text)
    // The rewriting is one that it would not rewrite again.
    if (validateRequest(request.path, valid.body).body !== valid.body)
      throw new Error('rewritten twice, a request is another one')
  }, Failure)
  refusing(() => void readClientRequest(request.body), Failure)
}

/** First line: the type of the form. What is taken and written anew must be the same parts, as many and byte for byte. */
function form(input: Uint8Array): void {
  const end = input.indexOf(0x0a)
  const [type, body] = [Buffer.from(input.subarray(0, Math.max(0, end))).toString('latin1'), input.subarray(end + 1)]
  refusing(() => void readClientForm(type, body), Failure)
  const parts = refusing(() => readForm(type, body), Failure)
  if (parts === undefined) return
  const written = writeForm(parts)
  const again = readForm(written.contentType, written.bytes)
  if (again.length !== parts.length) throw new Error('written again it has other parts')
  for (const [i, { bytes }] of parts.entries())
    if (Buffer.compare(bytes, again[i]?.bytes ?? new Uint8Array(0)) !== 0) throw new Error('written again a part is another one')
  refusing(() => void validateTranscription(parts), Failure)
}

function json(input: Uint8Array): void {
  const text = new TextDecoder().decode(input)
  const value = refusing(() => parseJson(text), JsonTextError)
  if (value !== undefined && writeJson(parseJson(writeJson(value))) !== writeJson(value))
    throw new Error('written again it is another text')
}

const tariff = {
  coefficient: 1000,
  pricePerToken: 20n,
  multipliers: { prompt: 10000, cached: 1000, completion: 80000, reasoning: 80000 },
}

/** The body of an answer, as a worker counts it. Whatever comes in must come out, in some form. */
function answer(input: Uint8Array): void {
  const counter = new JsonStreamCounter(new UsageMeter(tariff))
  for (const piece of piecesOf(input)) counter.push(piece)
  counter.finish()
  refusing(() => {
    const meter = new UsageMeter(tariff)
    const events = new SseCounter(meter)
    for (const piece of piecesOf(input)) events.push(piece)
    events.finish()
    if (meter.adjusted.total < 0n) throw new Error('a negative count')
  }, SseTooLongError)
}

const cellReaders = [
  parseSigned,
  parseParams,
  parseRootState,
  parseProxyState,
  parseProxyMessage,
  parseProxyOrder,
  parseClientState,
  parseClientMessage,
  parseWorkerState,
  parseWorkerMessage,
  parseCocoonWalletState,
  parseWalletOrder,
  parseWalletOwnerMessage,
]

function boc(input: Uint8Array): void {
  const payment = { '@type': 'proxy.signedPayment', data: input } as const
  for (const kind of ['client-charge', 'worker-payout'] as const)
    checkPayment(payment, { kind, contract: scriptedNetwork.owner, publicKey: scriptedNetwork.proxyKey })
  // The library has no error of its own; every place that calls it takes any.
  const [cell] = refusing(() => Cell.fromBoc(Buffer.from(input)), Error) ?? []
  if (cell === undefined) return
  for (const read of cellReaders) refusing(() => void read(cell), LayoutError)
}

function peerInfo(input: Uint8Array): void {
  refusing(() => {
    if (input.length < peerInfoHeaderBytes) return
    readPeerInfo(input.subarray(peerInfoHeaderBytes, peerInfoHeaderBytes + readPeerInfoLength(input)))
  }, WireError)
}

function work(input: Uint8Array): void {
  refusing(() => void readChallenge(input), PowError)
  verify(input.subarray(0, challengeBytes), input.subarray(challengeBytes))
}

function certificate(input: Uint8Array): void {
  refusing(() => {
    const { quote } = readPeerCertificate(input, { peer: 'client', nowMs: Date.parse('2026-11-22T02:00:00Z') })
    if (quote !== undefined) readFakeQuote(quote)
  }, AttestationError)
}

const attested = evidenceWith()
const utf8 = new TextDecoder()

function quote(input: Uint8Array): void {
  refusing(() => void openQuote(input), AttestationError)
}

function collateral(input: Uint8Array): void {
  refusing(() => void readRevocationList(input), AttestationError)
  const text = utf8.decode(input)
  for (const read of [readPemChain, readTcbInfo, readQeIdentity]) refusing(() => void read(text), AttestationError)
}

/** The part of a model file that is read before its weights. */
const ggufHead = tinyGguf({ contextTokens: 2048 }).slice(0, 16 * 1024)

/** What is taken must also have a need that can be counted: it is shown and compared before the file is loaded. */
function gguf(input: Uint8Array): void {
  for (const fileBytes of [input.length, 10_000_000]) {
    const header = refusing(() => parseGgufHeader(input, fileBytes), BadHeader, NeedMoreBytes)
    if (!header?.layout) continue
    const { totalBytes } = memoryNeed(header.layout, { contextTokens: 8192, sequences: 4 })
    if (!Number.isSafeInteger(Math.round(totalBytes)) || totalBytes < 0) throw new Error(`a need of ${totalBytes} bytes`)
  }
}

const audioForm = (fields: readonly (readonly [name: string, value: string])[]): Uint8Array => {
  const heads = fields.map(([name, value]) => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`)
  const file = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nabc\r\n'
  return textBytes(`multipart/form-data; boundary=x\n${heads.join('')}${file}--x--\r\n`)
}

const counted = readVectors<{ counter: { steps: { in: string }[] }[] }>('accounting/token_counter').counter

/** Everything that reads what a stranger sent: a peer, a file, an engine. */
export const fuzzTargets: readonly FuzzTarget[] = [
  {
    name: 'tl',
    regressions: 'main/protocol/tl/regressions.json',
    corpus: valuesNamed('tl/serialization', 'hex')
      .map(hexBytes)
      .filter((bytes) => nameOf(bytes) !== undefined),
    dictionary: ids,
    run: tl,
  },
  {
    name: 'frames',
    regressions: 'main/protocol/wire/regressions-frames.json',
    corpus: frames,
    dictionary: ids,
    run: frame,
  },
  {
    name: 'http-request',
    regressions: 'main/protocol/http/regressions.json',
    corpus: [
      ...httpRequests,
      ...validations.map(({ url, body }) => encodeHttpRequest({ method: 'POST', path: url, headers: [], body: textBytes(body) })),
    ],
    dictionary: [...ids, ...[...words, ...chatWords].map(textBytes)],
    grow: (random) => {
      const { url, body } = random.pick(validations)
      const at = 1 + random.below(body.length)
      const changed = `${body.slice(0, at)}${random.pick([...words, ...chatWords])}${random.oneIn(2) ? ',' : ''}${body.slice(at)}`
      return encodeHttpRequest({ method: 'POST', path: url, headers: [], body: textBytes(changed) })
    },
    run: http,
  },
  {
    name: 'form',
    regressions: 'main/protocol/requests/regressions-form.json',
    corpus: [
      audioForm([['model', 'M']]),
      audioForm([
        ['stream', 'true'],
        ['model', 'M'],
        ['prompt', 'a"b\\c'],
      ]),
    ],
    dictionary: [
      ...['--x', '--x--', '\r\n', '\r\n\r\n', '--x\r\n\r\n', '; boundary=y', 'boundary="x"', 'Content-Type: a/b; c=d\r\n'],
      ...[
        'Content-Disposition: form-data; name="model"',
        "; filename*=UTF-8''%FF",
        '; name=""',
        '\\"',
        '%00',
        '__proto__: x\r\n',
      ],
    ].map(textBytes),
    run: form,
  },
  {
    name: 'json',
    regressions: 'main/protocol/requests/regressions.json',
    corpus: validations.map(({ body }) => textBytes(body)),
    dictionary: [...words, ...chatWords].map(textBytes),
    run: json,
  },
  {
    name: 'answer-stream',
    regressions: 'main/protocol/accounting/regressions.json',
    corpus: [
      ...counted.map(({ steps }) => textBytes(steps.map((step) => step.in).join(''))),
      textBytes(
        'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: {"usage":{"prompt_tokens":1,"completion_tokens":2}}\r\n\r\ndata: [DONE]\n\n',
      ),
    ],
    dictionary: ['data: ', 'data:', '\n\n', '\r\n\r\n', '\r', '"usage":', '{"usage":{"prompt_tokens":-1}}', ...words].map(
      textBytes,
    ),
    run: answer,
  },
  {
    name: 'boc',
    regressions: 'contracts/regressions.json',
    corpus: bocs,
    dictionary: [hexBytes('b5ee9c72'), hexBytes('68ff65f3'), hexBytes('acc3a728'), hexBytes('0101'), hexBytes('00000000000000')],
    grow: grownCells(bocs),
    run: boc,
  },
  {
    name: 'peer-info',
    regressions: 'main/protocol/wire/regressions-peer-info.json',
    corpus: valuesNamed('ratls/attestation', 'framed').map(hexBytes),
    dictionary: [hexBytes('02000000'), hexBytes('01000000')],
    run: peerInfo,
  },
  {
    name: 'proof-of-work',
    regressions: 'main/protocol/wire/regressions-proof-of-work.json',
    corpus: readVectors<{ challenge_bytes: string; response_bytes: string }[]>('ratls/pow').map(
      ({ challenge_bytes, response_bytes }) => hexBytes(challenge_bytes + response_bytes),
    ),
    dictionary: [],
    run: work,
  },
  {
    name: 'certificate',
    regressions: 'main/protocol/attestation/regressions.json',
    corpus: valuesNamed('ratls/certificates', 'der_hex').map(hexBytes),
    dictionary: [hexBytes('3082'), hexBytes('0603551d13'), hexBytes('0101ff'), hexBytes('a382')],
    run: certificate,
  },
  {
    name: 'quote',
    regressions: 'main/protocol/attestation/regressions-quote.json',
    corpus: [attested.quote, evidenceWith((world) => Object.assign(world.quote, { version: 5, bodyType: 'tdx-1.5' })).quote],
    dictionary: [
      hexBytes('0400'),
      hexBytes('0500'),
      hexBytes('81000000'),
      textBytes('-----BEGIN CERTIFICATE-----\n'),
      hexBytes('ffffffff'),
    ],
    run: quote,
  },
  {
    name: 'collateral',
    regressions: 'main/protocol/attestation/regressions-collateral.json',
    corpus: [
      attested.collateral.rootCrl,
      attested.collateral.pckCrl,
      textBytes(attested.collateral.tcbInfoChain),
      textBytes(attested.collateral.tcbInfo),
      textBytes(attested.collateral.qeIdentity),
    ],
    dictionary: [hexBytes('3082'), hexBytes('0101ff'), textBytes('"tcbLevels":'), textBytes('-----END CERTIFICATE-----\n')],
    run: collateral,
  },
  {
    name: 'gguf',
    regressions: 'main/models/regressions.json',
    corpus: [ggufHead, ggufHead.slice(0, 600)],
    dictionary: [
      ...['GGUF', 'general.architecture', 'llama', 'tokenizer.ggml.tokens', 'tokenizer.ggml.scores', 'llama.block_count'],
      ...['llama.attention.head_count', 'llama.attention.sliding_window', 'llama.attention.kv_lora_rank', 'blk.0.'],
    ].map(textBytes),
    run: gguf,
  },
  ...sealedTargets,
]
