/**
 * Process: many workers that are connected to a proxy and serve nothing. Each is a connection of its own with the whole handshake of the
 * protocol. Takes `IdleOrder` from its parent, tells how many are connected now.
 */
import { readFileSync } from 'node:fs'
import { Address } from '@ton/core'
import { createIdentity } from '../../main/protocol/attestation/certificate.ts'
import { decode, encode } from '../../main/protocol/tl/codec.ts'
import type { TlName, TlObject } from '../../main/protocol/tl/types.ts'
import type { PacketConnection } from '../../main/protocol/wire/connection.ts'
import { dialDirect } from '../../main/protocol/wire/dial.ts'
import { pseudoRootConfig } from '../../main/ton/pseudo-root.ts'

export interface IdleOrder {
  readonly networkFile: string
  readonly port: number
  readonly plain: boolean
  readonly count: number
}

const connections: PacketConnection[] = []

async function ask<N extends TlName>(connection: PacketConnection, question: TlObject, answer: N): Promise<TlObject<N>> {
  return decode(await connection.query(encode(question), { timeoutMs: 30_000 }), answer)
}

async function join({ networkFile, port, plain }: IdleOrder, number: number): Promise<void> {
  const root = pseudoRootConfig((JSON.parse(readFileSync(networkFile, 'utf8')) as { pseudoRoot: unknown }).pseudoRoot)
  const target = { host: '127.0.0.1', port }
  const { connection } = await dialDirect(
    plain ? { ...target, plain } : { ...target, identity: await createIdentity(), policy: { kind: 'any' } },
  )
  await connection.start({})
  // Every worker is somebody else's.
  const hash = Buffer.alloc(32, 0x5a)
  hash.writeUInt32BE(number)
  const owner = new Address(0, hash)
  await ask(
    connection,
    {
      '@type': 'worker.connectToProxy',
      params: {
        '@type': 'worker.params',
        flags: 3,
        worker_owner_address: owner.toString({ bounceable: false }),
        model: 'idle/model@commit:hash',
        coefficient: 1000,
        is_test: root.params.isTest,
        proxy_cnt: 1,
        max_active_requests: 8,
        min_proto_version: 1,
        max_proto_version: 2,
      },
    },
    'worker.connectedToProxy',
  )
  const none = { tokens_committed_to_blockchain: 0n, tokens_committed_to_db: 0n, max_tokens: 0n }
  await ask(connection, { '@type': 'worker.compareBalanceWithProxy', ...none }, 'worker.compareBalanceWithProxyResult')
  await ask(connection, { '@type': 'worker.proxyHandshakeComplete', is_disabled: false }, 'worker.proxyHandshakeCompleted')
  connections.push(connection)
}

process.on('message', async (order: IdleOrder) => {
  const abreast = 8
  let next = connections.length
  const end = next + order.count
  await Promise.all(
    Array.from({ length: abreast }, async () => {
      while (next < end) await join(order, next++)
    }),
  )
  process.send?.(connections.filter((one) => one.isReady).length)
})
process.on('disconnect', () => process.exit(0))
process.send?.('listening')
