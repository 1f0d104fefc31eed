import { afterEach, describe, expect, it } from 'vitest'
import { versionsWithoutKeys } from '../protocol/handshake/versions.ts'
import { decodeHttpResponse } from '../protocol/http/http-message.ts'
import { type RecordedCase, recordedCases } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import { notRun, ran } from '../protocol/testing/vector-runs.ts'
import { decode, nameOf } from '../protocol/tl/codec.ts'
import type { TlName, TlObject } from '../protocol/tl/types.ts'
import { QueryRefused } from '../protocol/wire/wire-error.ts'
import { completeHandshake, workerPeer } from './testing/worker-peer.ts'

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))

type Peer = Awaited<ReturnType<typeof workerPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const file = 'wire/node_behaviour_scripted_proxy'
const cases = recordedCases('worker-runner')
const caseNamed = (name: string): RecordedCase => {
  const found = cases.find((one) => one.case.startsWith(name))
  if (found === undefined) throw new Error(`no case ${name}`)
  return found
}

type AnyAnswer = TlObject<
  | 'proxy.queryAnswer'
  | 'proxy.queryAnswerPart'
  | 'proxy.queryAnswerError'
  | 'proxy.queryAnswerEx'
  | 'proxy.queryAnswerPartEx'
  | 'proxy.queryAnswerErrorEx'
>
const answerNames = [
  'proxy.queryAnswer',
  'proxy.queryAnswerPart',
  'proxy.queryAnswerError',
  'proxy.queryAnswerEx',
  'proxy.queryAnswerPartEx',
  'proxy.queryAnswerErrorEx',
] as const

/** What one request came to, whatever the number of parts. */
interface Result {
  names: Set<string>
  status?: number
  error?: string
  code?: number
  tokens?: readonly bigint[]
  finalFlags?: number
  text: string
}

function readAnswers(answers: readonly AnyAnswer[]): Result {
  const result: Result = { names: new Set(), text: '' }
  for (const answer of answers) {
    result.names.add(answer['@type'])
    if ('error' in answer) {
      result.error = answer.error
      result.code = answer.error_code
    } else if (answer['@type'] === 'proxy.queryAnswer' || answer['@type'] === 'proxy.queryAnswerEx')
      result.status = decodeHttpResponse(answer.answer).status
    else result.text += new TextDecoder().decode(answer.answer)
    const used =
      'tokens_used' in answer ? answer.tokens_used : 'final_info' in answer ? answer.final_info?.tokens_used : undefined
    if (used !== undefined)
      result.tokens = [
        used.prompt_tokens_used,
        used.cached_tokens_used,
        used.completion_tokens_used,
        used.reasoning_tokens_used,
        used.total_tokens_used,
      ]
    if ('final_info' in answer && answer.final_info !== undefined) result.finalFlags = answer.final_info.flags
  }
  return result
}

const isLast = (answer: AnyAnswer): boolean =>
  'error' in answer || ('is_completed' in answer ? answer.is_completed : (answer.flags & 1) !== 0)

async function answersOf(connection: ScriptedConnection): Promise<AnyAnswer[]> {
  const answers: AnyAnswer[] = []
  for (;;) {
    const answer = await connection.nextPacket(...answerNames)
    answers.push(answer)
    if (isLast(answer)) return answers
  }
}

/** Plays the recorded proxy against our worker: the same questions must come, and the same end of every request. */
async function replay(recorded: RecordedCase, connection: ScriptedConnection): Promise<number> {
  let answer: ((data: Uint8Array) => void) | undefined
  let fail: ((error: Error) => void) | undefined
  let compared = 0
  const recordedAnswers: AnyAnswer[] = []
  for (const event of recorded.events) {
    if (event.kind === 'event-node-closed') {
      expect(await connection.closed).toBe('closed-by-peer')
      compared++
      continue
    }
    if (event.kind === 'event-nothing-received') {
      expect(await connection.isSilent(100)).toBe(true)
      compared++
      continue
    }
    const frame = bytes(event.payload ?? '')
    const packet = nameOf(frame)
    if (packet === 'tcp.query') {
      const expected = decode(frame, 'tcp.query')
      const name = nameOf(expected.data) as TlName
      if (name === 'worker.updatePaymentStatus') continue
      const item = await connection.next()
      if (item.kind !== 'query') throw new Error('expected a query')
      expect(withoutExtension(decode(item.data, name))).toEqual(decode(expected.data, name))
      answer = item.answer
      fail = item.fail
      compared++
    } else if (packet === 'tcp.queryAnswer') answer?.(decode(frame, 'tcp.queryAnswer').data)
    else if (packet === 'tcp.queryError') {
      const error = decode(frame, 'tcp.queryError')
      fail?.(new QueryRefused(error.code, error.message))
    } else if (packet === 'tcp.packet') {
      const { data } = decode(frame, 'tcp.packet')
      if (event.dir === 's2c') {
        await connection.connection.send(data)
        continue
      }
      const theirs = decode(data, ...answerNames)
      recordedAnswers.push(theirs)
      if (!isLast(theirs)) continue
      const expected = readAnswers(recordedAnswers.splice(0))
      const ours = readAnswers(await answersOf(connection))
      expect(ours.names).toEqual(expected.names)
      expect([ours.status, ours.error, ours.code]).toEqual([expected.status, expected.error, expected.code])
      // The recorded worker neither streams nor counts server-sent events; ours must (protocol 40 §6).
      if (expected.text.startsWith('data:')) expect(ours.tokens).toEqual([12n, 4n, 4n, 1n, 21n])
      else expect(ours.tokens).toEqual(expected.tokens)
      expect(ours.finalFlags).toBe(expected.finalFlags)
      compared++
    }
  }
  return compared
}

function withoutExtension(object: TlObject): TlObject {
  if (object['@type'] !== 'worker.connectToProxy') return object
  expect(object.params.flags).toBe(0x4000_0003)
  return { ...object, params: { ...object.params, flags: 3 } }
}

describe('the recorded behaviour of a worker', () => {
  it('has every recorded case', () => expect(cases).toHaveLength(13))

  it.each(cases.filter((one) => !needsHistory(one)).map((one) => [one.case, one] as const))('%s', async (_name, recorded) => {
    peer = await workerPeer({ versions: versionsWithoutKeys })
    peer.worker.start()
    expect(await replay(recorded, await peer.proxy.accept())).toBeGreaterThan(1)
    ran(file, `played: worker-runner, ${recorded.case}`)
  })

  it('remembers what it was told, over connections', async () => {
    const dialogue = cases.filter(needsHistory)
    expect(dialogue).toHaveLength(7)
    peer = await workerPeer({ versions: versionsWithoutKeys })
    peer.worker.start()
    for (const recorded of dialogue) {
      const connection = await peer.proxy.accept()
      expect(await replay(recorded, connection)).toBeGreaterThan(1)
      connection.connection.close()
      await connection.closed
      ran(file, `played: worker-runner, ${recorded.case}`)
    }
    expect(peer.worker.contracts()[0]).toMatchObject({ signedTokens: 15n, dbTokens: 25n, maxTokens: 40n })
  })

  it('serves after the same handshake', async () => {
    peer = await workerPeer({ versions: versionsWithoutKeys })
    peer.worker.start()
    expect(await completeHandshake(await peer.proxy.accept())).toMatchObject({ max_tokens: 0n })
    expect(caseNamed('requests over protocol version 2').events.length).toBeGreaterThan(20)
  })

  it('ran whole', () => expect(notRun(file, (name) => name.startsWith('played: worker-runner'))).toEqual([]))
})

/** Cases of one recorded dialogue, in which the worker already knows balances. */
function needsHistory(one: RecordedCase): boolean {
  return /^(signed payment of 15|reconnect|proxy presents|proxy reports|extended|signedPaymentEmpty|proxy announces)/.test(
    one.case,
  )
}
