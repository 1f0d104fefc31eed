import { afterEach, describe, expect, it } from 'vitest'
import type { NetAddress, ProxyEndpoints } from '../../contracts/net-address.ts'
import { Failure } from '../base/failure.ts'
import { Signal } from '../base/signal.ts'
import { encodeHttpResponse } from '../protocol/http/http-message.ts'
import { pinRefusals } from '../protocol/sealed/direct/refusals.ts'
import { ringOf } from '../protocol/sealed/testing/sealing-scene.ts'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import { type ScriptedConnection, ScriptedProxy } from '../protocol/testing/scripted-proxy.ts'
import { cancelExtensionFlag, sealedExtensionFlag } from '../protocol/tl/schema.ts'
import type { TlObject } from '../protocol/tl/types.ts'
import type { PacketConnection } from '../protocol/wire/connection.ts'
import { QueryRefused } from '../protocol/wire/wire-error.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { clientPeer, completeHandshake } from './testing/client-peer.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})
const never = new AbortController().signal
const chat = { model: 'M', body: '{"model":"M","messages":[],"stream":true}' }
const entry = (port: number): ProxyEndpoints => ({
  forWorkers: { host: '127.0.0.1', port },
  forClients: { host: '127.0.0.1', port },
})

/** A client before two scripted proxies; `flags` 3 are proxies that do not know cancel, `firstFlags` are of the first one. */
async function standBefore(connections: number, flags?: number, firstFlags = flags) {
  const proxies = [await ScriptedProxy.listen(), await ScriptedProxy.listen()] as const
  const dial = (address: NetAddress) => {
    const proxy = proxies[address.port - 1]
    if (proxy === undefined) throw new Failure('refused', 'nobody listens there')
    return proxy.dial()
  }
  const root = new Signal<RootConfig | null>({
    ...scriptedNetwork.root,
    proxies: [1, 2].map((at) => ({ ...entry(at), seqno: at })),
  })
  const peer = await clientPeer({ dial, root, proxyConnections: connections, reconnectMs: 80 })
  closers.push(async () => {
    await peer.dispose()
    for (const proxy of proxies) await proxy.close()
  })
  peer.client.start()
  const ready = async (proxy: ScriptedProxy, coefficient: number): Promise<ScriptedConnection> => {
    const connection = await proxy.accept()
    const own = proxy === proxies[0] ? firstFlags : flags
    await completeHandshake(connection, own === undefined ? {} : { flags: own })
    if (connections > 1) await offer(connection, coefficient)
    return connection
  }
  /** Both are ready, and the client knows what they offer. */
  const meet = async (): Promise<readonly [ScriptedConnection, ScriptedConnection]> => {
    const [dear, cheap] = await Promise.all([ready(proxies[0], 1000), ready(proxies[1], 700)])
    await expect.poll(() => peer.client.state.value.connections.map(({ phase }) => phase)).toEqual(['ready', 'ready'])
    const [models] = await Promise.all([peer.client.models(), offer(dear, 1000), offer(cheap, 700)])
    expect(models).toMatchObject([{ model: 'M', workers: [{ coefficient: 700 }, { coefficient: 1000 }] }])
    return [dear, cheap]
  }
  return { peer, proxies, ready, meet }
}

async function offer(connection: ScriptedConnection, coefficient: number): Promise<void> {
  const asked = await connection.nextQuery('client.getWorkerTypesV2')
  const worker = {
    '@type': 'client.workerInstanceV2',
    flags: 0,
    coefficient,
    active_requests: 0,
    max_active_requests: 8,
  } as const
  asked.answer({ '@type': 'client.workerTypesV2', types: [{ '@type': 'client.workerTypeV2', name: 'M', workers: [worker] }] })
}

const answer = async (connection: ScriptedConnection, text: string): Promise<void> => {
  const { request_id } = await connection.nextPacket('client.runQueryEx')
  await connection.send({
    '@type': 'client.queryAnswerEx',
    request_id,
    answer: encodeHttpResponse({ status: 200, reason: 'OK', headers: [] }, Buffer.from(text)),
    flags: 1,
    final_info: {
      '@type': 'client.queryFinalInfo',
      flags: 0,
      tokens_used: {
        '@type': 'tokensUsed',
        prompt_tokens_used: 1n,
        cached_tokens_used: 0n,
        completion_tokens_used: 0n,
        reasoning_tokens_used: 0n,
        total_tokens_used: 1n,
      },
    },
  })
}
const refuse = async (connection: ScriptedConnection, error_code: number, error: string): Promise<void> => {
  const { request_id } = await connection.nextPacket('client.runQueryEx')
  await connection.send({ '@type': 'client.queryAnswerErrorEx', request_id, error_code, error, flags: 0 })
}
const workerKey = (signed_key: Uint8Array): TlObject<'client.workerKey'> => ({
  ...{ '@type': 'client.workerKey', signed_key, coefficient: 1000, active_requests: 0, max_active_requests: 8 },
})
const textOf = async (body: AsyncIterable<Uint8Array>): Promise<string> => {
  let text = ''
  for await (const bytes of body) text += new TextDecoder().decode(bytes)
  return text
}

describe('a client of a network with two proxies', () => {
  it('asks the cheaper one, and the other one when that has no worker', async () => {
    const { peer, meet } = await standBefore(2)
    const [dear, cheap] = await meet()
    const handle = peer.client.runChat(chat, never)
    await refuse(cheap, 651, 'no ready workers for model M')
    await answer(dear, 'from the other')
    expect(await textOf(handle.body)).toBe('from the other')
    expect((await handle.head).status).toBe(200)
    expect(await handle.end).toMatchObject({ cost: 2n })
  })

  it('sends nothing over a connection that it may not use, nor over another one instead', async () => {
    const { peer, meet } = await standBefore(2)
    const [dear, cheap] = await meet()
    const second = peer.client.state.value.connections.find(({ endpoint }) => endpoint.endsWith(':2'))
    const asked: boolean[] = []
    const mayGo = (wire: PacketConnection): boolean => {
      asked.push(wire === second?.wire)
      return asked.length > 1
    }
    const refused = peer.client.runChat({ ...chat, mayGo }, never)
    await expect(refused.end).rejects.toMatchObject({ code: 'connection-changed', money: 'You paid nothing.' })
    expect(asked).toEqual([true])
    const handle = peer.client.runChat({ ...chat, mayGo }, never)
    await answer(cheap, 'the first that came')
    expect(await textOf(handle.body)).toBe('the first that came')
    expect(await dear.isSilent(20)).toBe(true)
  })

  it('asks the other one when a proxy does not know the key of an encrypted question yet', async () => {
    const { peer, meet } = await standBefore(2)
    const [dear, cheap] = await meet()
    const handle = peer.client.runChat(chat, never)
    await refuse(cheap, 602, 'unknown public key 0909')
    await answer(dear, 'opened')
    expect(await textOf(handle.body)).toBe('opened')
  })

  it.each<[string, number, string]>([
    ['is full', 651, pinRefusals.full],
    ['is gone', 651, pinRefusals.gone],
    ['does not open it', 621, 'worker: sealed query: the request does not open'],
    ['cannot be paid', 602, 'the balance is too low'],
  ])(
    'keeps a question sealed when the one that seals says that the worker %s, though the other one would read it',
    async (_, code, text) => {
      const { peer, meet } = await standBefore(2, undefined, 3 | cancelExtensionFlag | sealedExtensionFlag)
      const [sealing, plain] = await meet()
      const { signedKey } = await ringOf({ model: 'M@abc:def' }).current()
      const handle = peer.client.runChat({ ...chat, seal: 'offered' }, never)
      const failed = handle.end.then(
        () => expect.fail('it was answered'),
        (thrown: unknown) => thrown,
      )
      const lie = async (): Promise<void> => {
        for (;;) {
          const { answer: tell } = await sealing.nextQuery('client.getWorkerKeys')
          tell({ '@type': 'client.workerKeys', keys: [workerKey(signedKey)] })
          const { request_id } = await sealing.nextPacket('client.runSealedQuery')
          await sealing.send({ '@type': 'client.queryAnswerErrorEx', request_id, error_code: code, error: text, flags: 0 })
        }
      }
      lie().catch(() => undefined)
      expect(await Promise.race([failed, plain.nextPacket('client.runQueryEx')])).toBeInstanceOf(Failure)
      expect(await plain.isSilent(20)).toBe(true)
    },
  )

  it('leaves a question unread whose keys are false, though the other one would read it', async () => {
    const { peer, meet } = await standBefore(2, undefined, 3 | cancelExtensionFlag | sealedExtensionFlag)
    const [sealing, plain] = await meet()
    const handle = peer.client.runChat({ ...chat, seal: 'offered' }, never)
    const { answer: tell } = await sealing.nextQuery('client.getWorkerKeys')
    tell({ '@type': 'client.workerKeys', keys: [workerKey(new Uint8Array(100).fill(3))] })
    await expect(handle.end).rejects.toMatchObject({ code: 'seal-unavailable' })
    expect(await plain.isSilent(20)).toBe(true)
  })

  it('stays with a proxy that cannot list its models', async () => {
    const { peer, proxies } = await standBefore(2)
    const connections = await Promise.all(proxies.map((proxy) => proxy.accept()))
    for (const connection of connections) {
      await completeHandshake(connection)
      ;(await connection.nextQuery('client.getWorkerTypesV2')).fail(new QueryRefused(602, 'The answer is too large'))
    }
    await expect.poll(() => peer.client.state.value.connections.map(({ phase }) => phase)).toEqual(['ready', 'ready'])
    const handle = peer.client.runChat(chat, never)
    await Promise.any(connections.map((connection) => answer(connection, 'all the same')))
    expect(await textOf(handle.body)).toBe('all the same')
    expect(peer.client.state.value.connections.map(({ phase }) => phase)).toEqual(['ready', 'ready'])
  })

  it('tells the last failure when nobody can answer', async () => {
    const { peer, meet } = await standBefore(2)
    const [dear, cheap] = await meet()
    const handle = peer.client.runChat(chat, never)
    await refuse(cheap, 651, 'no ready workers for model M')
    await refuse(dear, 621, 'unknown model M')
    await expect(handle.head).rejects.toMatchObject({ code: 'unknown-model' })
    await expect(handle.end).rejects.toMatchObject({ code: 'unknown-model' })
    await expect(textOf(handle.body)).rejects.toMatchObject({ code: 'unknown-model' })
  })

  it.each([
    ['ends a generation without its client', undefined],
    ['goes on without its client', 3],
  ] as const)('asks no other one when the first is lost, which may charge: it %s', async (_name, flags) => {
    const { peer, meet } = await standBefore(2, flags)
    const [dear, cheap] = await meet()
    const handle = peer.client.runChat(chat, never)
    await cheap.nextPacket('client.runQueryEx')
    cheap.connection.close('gone')
    await expect(handle.head).rejects.toMatchObject({ code: 'connection-lost' })
    await expect(textOf(handle.body)).rejects.toMatchObject({ code: 'connection-lost' })
    await answerNothing(dear)
  })

  it('is not asked anywhere else once the answer has begun', async () => {
    const { peer, meet } = await standBefore(2)
    const [dear, cheap] = await meet()
    const handle = peer.client.runChat(chat, never)
    const { request_id } = await cheap.nextPacket('client.runQueryEx')
    const begun = encodeHttpResponse({ status: 200, reason: 'OK', headers: [] }, Buffer.from('half'))
    await cheap.send({ '@type': 'client.queryAnswerEx', request_id, answer: begun, flags: 0 })
    await handle.head
    cheap.connection.close('gone')
    await expect(handle.end).rejects.toMatchObject({ code: 'connection-lost' })
    await answerNothing(dear)
  })

  it('with one connection goes to the second proxy when the first one does not answer', async () => {
    const { peer, proxies, ready } = await standBefore(1)
    const first = await Promise.race(proxies.map(async (proxy, at) => [await proxy.accept(), at] as const))
    first[0].connection.close('gone')
    const other = proxies[first[1] === 0 ? 1 : 0]
    if (other === undefined) throw new Error('two proxies')
    const connection = await ready(other, 1000)
    await peer.client.whenReady(AbortSignal.timeout(60_000))
    const handle = peer.client.runChat(chat, never)
    await answer(connection, 'here')
    expect(await textOf(handle.body)).toBe('here')
  })
})

async function answerNothing(connection: ScriptedConnection): Promise<void> {
  await expect(Promise.race([connection.nextPacket('client.runQueryEx'), pause(100)])).resolves.toBe('nothing')
}
const pause = (ms: number) => new Promise((resolve) => setTimeout(() => resolve('nothing'), ms))
