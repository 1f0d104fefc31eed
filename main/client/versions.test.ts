import { afterEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../base/logger.ts'
import { versionsWithoutKeys } from '../protocol/handshake/versions.ts'
import { becomeReady, clientPeer, connectedToProxy } from './testing/client-peer.ts'

type Peer = Awaited<ReturnType<typeof clientPeer>>
let peer: Peer | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

const never = new AbortController().signal
const key = new Uint8Array(32).fill(7)
const chat = { model: 'M', body: '{"model":"M","messages":[]}' }
const sealed = { model: 'M', body: '{"is_encrypted":"v1","messages":[{"role":"ENC_00"}],"model":"M"}', publicKey: key }

async function ready(proto_version: number, options: Parameters<typeof clientPeer>[0] = {}) {
  peer = await clientPeer({ logger: silentLogger, ...options })
  return { ...peer, connection: await becomeReady(peer, { params: { proto_version } }) }
}

describe('the client and protocol versions', () => {
  it('offers 1 to 4, or what it is told to', async () => {
    for (const [versions, offered] of [
      [undefined, [1, 4]],
      [versionsWithoutKeys, [1, 2]],
      [{ least: 3, most: 4 }, [3, 4]],
    ] as const) {
      peer = await clientPeer(versions === undefined ? {} : { versions })
      peer.client.start()
      const { question } = await (await peer.proxy.accept()).nextQuery('client.connectToProxy')
      expect([question.params.min_proto_version, question.params.max_proto_version]).toEqual(offered)
      await peer.dispose()
    }
    peer = undefined
  })

  it.each([[{ least: 0, most: 2 }], [{ least: 3, most: 2 }], [{ least: 1, most: 5 }]])(
    'does not start with the range %j',
    async (versions) => {
      await expect(clientPeer({ versions })).rejects.toThrow(RangeError)
    },
  )

  it.each([
    [versionsWithoutKeys, 3],
    [{ least: 3, most: 4 }, 2],
    [{ least: 1, most: 3 }, 4],
  ])('that offers %j leaves a proxy that chooses %s', async (versions, proto_version) => {
    peer = await clientPeer({ versions })
    peer.client.start()
    const connection = await peer.proxy.accept()
    ;(await connection.nextQuery('client.connectToProxy')).answer(connectedToProxy({ proto_version }))
    expect(await connection.closed).toBe('closed-by-peer')
  })

  it.each([1, 2])('below version 3 a question has no place for a key: %s', async (version) => {
    const { client, connection } = await ready(version)
    client.runChat(chat, never)
    const query = await connection.nextPacket('client.runQueryEx')
    expect(query.flags).toBe(1)
    expect(query).not.toHaveProperty('public_key')
    expect(() => client.runChat(sealed, never)).toThrow(
      expect.objectContaining({ code: 'no-connection', message: expect.stringContaining('encrypted') }),
    )
    expect(await connection.isSilent(50)).toBe(true)
  })

  it.each([3, 4])('from version 3 on it always has one: %s', async (version) => {
    const { client, connection } = await ready(version)
    client.runChat(chat, never)
    const open = await connection.nextPacket('client.runQueryEx')
    expect([open.flags, open.public_key]).toEqual([3, new Uint8Array(32)])
    client.runChat(sealed, never)
    const query = await connection.nextPacket('client.runQueryEx')
    expect([query.flags, query.public_key]).toEqual([3, key])
    // The body travels as it is.
    expect(Buffer.from(query.query).toString()).toContain(sealed.body)
    expect(() => client.runChat({ ...sealed, publicKey: new Uint8Array(31) }, never)).toThrow('32 bytes')
  })

  it('an error with final info tells what the hops say, to who asked for it', async () => {
    const { client, connection } = await ready(4)
    const handle = client.runChat({ ...chat, debug: true }, never)
    const { request_id, enable_debug } = await connection.nextPacket('client.runQueryEx')
    expect(enable_debug).toBe(true)
    const none = { prompt_tokens_used: 0n, cached_tokens_used: 0n, completion_tokens_used: 0n, reasoning_tokens_used: 0n }
    await connection.send({
      '@type': 'client.queryAnswerErrorEx',
      request_id,
      error_code: 651,
      error: 'no workers for model M',
      flags: 1,
      final_info: {
        '@type': 'client.queryFinalInfo',
        flags: 1,
        tokens_used: { '@type': 'tokensUsed', ...none, total_tokens_used: 0n },
        worker_debug: '',
        proxy_debug: '{"type":"proxy_stats"}',
      },
    })
    await expect(handle.end).rejects.toMatchObject({ code: 'no-worker' })
    expect(handle.debug).toEqual({ proxy: '{"type":"proxy_stats"}', worker: '' })
  })
})
