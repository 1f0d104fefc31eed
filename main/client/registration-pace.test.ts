import { afterEach, describe, expect, it } from 'vitest'
import { scriptedNetwork } from '../protocol/testing/scripted-network.ts'
import type { Chain } from '../ton/chain.ts'
import type { OutMessage } from '../wallet/sender.ts'
import { RegistrationPace } from './registration-pace.ts'
import { clientPeer, connectedToProxy } from './testing/client-peer.ts'

let peer: Awaited<ReturnType<typeof clientPeer>> | undefined
afterEach(async () => {
  await peer?.dispose()
  peer = undefined
})

describe('the pace of registrations', () => {
  it('allows two at once, then doubles the pause up to an hour, and begins anew when the proxy lets the client in', () => {
    const pace = new RegistrationPace()
    const pauses: number[] = []
    let nowMs = 1_000
    for (let send = 0; send < 10; send++) {
      const waitMs = pace.waitMs('a', nowMs)
      pauses.push(waitMs / 60_000)
      nowMs += waitMs
      expect(pace.waitMs('a', nowMs)).toBe(0)
      pace.sent('a', nowMs)
    }
    expect(pauses).toEqual([0, 0, 1, 2, 4, 8, 16, 32, 60, 60])
    expect(pace.waitMs('b', nowMs)).toBe(0)
    pace.accepted('a')
    expect(pace.waitMs('a', nowMs)).toBe(0)
  })

  it('keeps a proxy that asks for a registration at every connection from spending the fees again and again', async () => {
    const sent: (readonly OutMessage[])[] = []
    const account = { status: 'uninit', balance: 0n, code: null, data: null, last: null } as const
    const wallet = {
      address: scriptedNetwork.clientOwner,
      send: async (messages: readonly OutMessage[]): Promise<void> => {
        sent.push(messages)
      },
    }
    peer = await clientPeer({
      money: { chain: { account: async () => account, transactions: async () => [] } as unknown as Chain, wallet },
    })
    const { client, proxy } = peer
    client.start()
    const agreement = new AbortController()
    const given = client.openAccount({ topUp: 5n }, agreement.signal).catch(() => undefined)
    for (let turn = 0; turn < 6; turn++) {
      const connection = await proxy.accept()
      const hello = await connection.nextQuery('client.connectToProxy')
      hello.answer(connectedToProxy({}, { auth: { '@type': 'client.proxyConnectionAuthLong', nonce: 77n } }))
      const next = await Promise.race([
        connection.nextQuery('client.authorizeWithProxyLong').then(() => 'asked'),
        connection.closed,
      ])
      if (next === 'asked') proxy.cut()
    }
    expect(sent).toHaveLength(2)
    expect(client.state.value.connections[0]?.failure).toContain('registration')
    agreement.abort()
    await given
  })
})
