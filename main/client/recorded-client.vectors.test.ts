import { afterEach, describe, expect, it } from 'vitest'
import { versionsWithoutKeys } from '../protocol/handshake/versions.ts'
import { type RecordedCase, recordedCases } from '../protocol/testing/scripted-network.ts'
import type { ScriptedConnection } from '../protocol/testing/scripted-proxy.ts'
import { notRun, ran } from '../protocol/testing/vector-runs.ts'
import { decode, encode, nameOf } from '../protocol/tl/codec.ts'
import type { TlName, TlObject } from '../protocol/tl/types.ts'
import { QueryRefused } from '../protocol/wire/wire-error.ts'
import type { QueryHandle } from './running-query.ts'
import { clientPeer } from './testing/client-peer.ts'

type Peer = Awaited<ReturnType<typeof clientPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const file = 'wire/node_behaviour_scripted_proxy'
const cases = recordedCases('client-runner')
/** The recorded client went on with protocol 0 although it cannot read its answers; ours refuses it. */
const protocolZero = 'proxy without protocol version (0)'

const answerNames = [
  'client.queryAnswerEx',
  'client.queryAnswerPartEx',
  'client.queryAnswerErrorEx',
  'client.queryAnswerError',
] as const

async function outcome(handle: QueryHandle): Promise<{ text: string; code?: string; tokens?: bigint; status?: number }> {
  let text = ''
  try {
    for await (const part of handle.body) text += new TextDecoder().decode(part)
    const end = await handle.end
    return { text, status: (await handle.head).status, ...(end.tokens === undefined ? {} : { tokens: end.tokens.total }) }
  } catch (thrown) {
    const failure = thrown as { code: string; money: string }
    expect(failure.money).toBe('You paid nothing.')
    return { text, code: failure.code }
  }
}

/** Plays the recorded proxy against our client; recorded questions are asked again, under our own ids. */
async function replay(recorded: RecordedCase, connection: ScriptedConnection, { client, events }: Peer) {
  const outcomes: Awaited<ReturnType<typeof outcome>>[] = []
  let answer: ((data: Uint8Array) => void) | undefined
  let fail: ((error: Error) => void) | undefined
  let compared = 0
  let running: { id: Uint8Array; result: Promise<Awaited<ReturnType<typeof outcome>>> } | undefined
  let listing: Promise<unknown> | undefined
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
    const frame = Uint8Array.from(Buffer.from(event.payload ?? '', 'hex'))
    const packet = nameOf(frame)
    if (packet === 'tcp.query') {
      const expected = decode(frame, 'tcp.query')
      const name = nameOf(expected.data) as TlName
      if (name === 'client.getWorkerTypesV2') {
        listing = client.models().catch((error: unknown) => error)
      }
      const item = await connection.next()
      if (item.kind !== 'query') throw new Error('expected a query')
      expect(withoutExtension(decode(item.data, name))).toEqual(decode(expected.data, name))
      answer = item.answer
      fail = item.fail
      compared++
    } else if (packet === 'tcp.queryAnswer') {
      answer?.(decode(frame, 'tcp.queryAnswer').data)
      if (listing !== undefined)
        expect(await listing).toEqual([
          { model: 'm1', workers: [] },
          { model: 'm2', workers: [m2] },
        ])
      listing = undefined
    } else if (packet === 'tcp.queryError') {
      const error = decode(frame, 'tcp.queryError')
      fail?.(new QueryRefused(error.code, error.message))
      if (listing !== undefined) expect(await listing).toMatchObject({ code: 'query-refused' })
      listing = undefined
    } else if (packet === 'tcp.packet' && event.dir === 'c2s') {
      const theirs = decode(decode(frame, 'tcp.packet').data, 'client.runQueryEx')
      await client.whenReady(AbortSignal.timeout(60_000))
      const handle = client.runChat(
        {
          model: theirs.model_name,
          body: '{"model":"Qwen/Qwen3-8B","messages":[]}',
          maxTokens: theirs.max_tokens,
          maxCoefficient: theirs.max_coefficient,
          timeoutMs: 120_000,
        },
        new AbortController().signal,
      )
      const ours = await connection.nextPacket('client.runQueryEx')
      expect({ ...ours, query: theirs.query, request_id: theirs.request_id }).toEqual(theirs)
      running = { id: ours.request_id, result: outcome(handle) }
      compared++
    } else if (packet === 'tcp.packet') {
      const { data } = decode(frame, 'tcp.packet')
      if (nameOf(data) === 'proxy.clientRequestPayment') {
        await connection.connection.send(data)
        continue
      }
      if (running === undefined) throw new Error('an answer without a question')
      const theirs = decode(data, ...answerNames)
      await connection.connection.send(encode({ ...theirs, request_id: running.id }))
      if ('error' in theirs || (theirs.flags & 1) !== 0) outcomes.push(await running.result)
    }
  }
  return { compared, outcomes, events }
}

const m2 = { coefficient: 1, running: 2, mostRunning: 3 }

function withoutExtension(object: TlObject): TlObject {
  if (object['@type'] !== 'client.connectToProxy') return object
  expect(object.params.flags).toBe(0x6000_0003)
  return { ...object, params: { ...object.params, flags: 3 } }
}

const withoutStatus = (one: RecordedCase): RecordedCase => {
  // Payment status is asked by a timer; the recorded question and its answer are tested elsewhere.
  const asked = one.events.findIndex((event) => {
    const frame = Buffer.from(event.payload ?? '', 'hex')
    return nameOf(frame) === 'tcp.query' && nameOf(decode(frame, 'tcp.query').data) === 'client.updatePaymentStatus'
  })
  return asked < 0 ? one : { ...one, events: one.events.slice(0, asked) }
}

describe('the recorded behaviour of a client', () => {
  it('has every recorded case', () => expect(cases).toHaveLength(11))

  const replayed = cases.filter((one) => !one.case.startsWith(protocolZero)).map((one) => [one.case, one] as const)
  it.each(replayed)('%s', async (name, recorded) => {
    peer = await clientPeer({ versions: versionsWithoutKeys })
    peer.client.start()
    const { compared, outcomes, events } = await replay(withoutStatus(recorded), await peer.proxy.accept(), peer)
    expect(compared).toBeGreaterThan(1)
    if (!name.startsWith('protocol')) return ran(file, `played: client-runner, ${name}`)
    expect(outcomes[0]).toMatchObject({ status: 200, tokens: 5n })
    if (!name.startsWith('protocol 2')) return ran(file, `played: client-runner, ${name}`)
    expect(outcomes[0]?.text).toBe('{"a":1}\n{"b":2}\n')
    expect(outcomes.slice(1).map((one) => one.code)).toEqual(['timeout', 'proxy-not-ready', 'refused'])
    // The recorded proxy accounts for a request that nobody asked.
    await expect.poll(() => events.map((event) => event.type)).toContain('deviation')
    expect(peer.client.accounts.list(peer.root.value?.address ?? fail())[0]).toMatchObject({ dbTokens: 20n, maxTokens: 30n })
    ran(file, `played: client-runner, ${name}`)
  })

  it('but refuses protocol 0', async () => {
    const recorded = cases.find((one) => one.case.startsWith(protocolZero))
    const hello = recorded?.events.find((event) => event.dir === 's2c' && nameOf(payload(event)) === 'tcp.queryAnswer')
    peer = await clientPeer({ versions: versionsWithoutKeys })
    peer.client.start()
    const connection = await peer.proxy.accept()
    const item = await connection.next()
    if (item.kind !== 'query' || hello === undefined) throw new Error('no handshake')
    item.answer(decode(payload(hello), 'tcp.queryAnswer').data)
    expect(await connection.closed).toBe('closed-by-peer')
    await expect.poll(() => peer?.client.state.value.connections[0]?.failure).toBe('The proxy is too old for this app.')
    ran(file, `played: client-runner, ${recorded?.case}`)
  })

  it('ran whole', () => expect(notRun(file, (name) => name.startsWith('played: client-runner'))).toEqual([]))
})

const payload = (event: { payload?: string }): Uint8Array => Uint8Array.from(Buffer.from(event.payload ?? '', 'hex'))
const fail = (): never => {
  throw new Error('missing')
}
