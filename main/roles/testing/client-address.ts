import { type Logger, silentLogger } from '../../base/logger.ts'
import type { ClientOptions } from '../../client/options.ts'
import { clientPeer, completeHandshake } from '../../client/testing/client-peer.ts'
import { scriptedNetwork } from '../../protocol/testing/scripted-network.ts'
import type { RootConfig } from '../../ton/root-config.ts'
import { openClientHttp } from '../http/client-http.ts'
import { exchange, requestBytes } from './http-exchange.ts'

export interface ClientAddressOptions {
  readonly client?: Partial<ClientOptions>
  /** Of the scripted proxy. */
  readonly protoVersion?: number
  readonly logger?: Logger
  readonly encrypts?: boolean
  /** Of the network, in place of the scripted one. */
  readonly root?: RootConfig
}

/** The HTTP address of a client that is connected to a scripted proxy. The access hash is `secret`. */
export async function clientAddress({
  client: options = {},
  protoVersion,
  logger = silentLogger,
  encrypts = false,
  root,
}: ClientAddressOptions = {}) {
  const peer = await clientPeer(options)
  const http = await openClientHttp({
    ...{ host: '127.0.0.1', port: 0, client: peer.client, accessHash: 'secret', logger, encrypts },
    stats: async () => ({}),
    topUpNano: () => undefined,
    hasChain: true,
    network: () => scriptedNetwork.root.address,
  })
  if (root !== undefined) peer.root.set(root)
  peer.client.start()
  const connection = await peer.proxy.accept()
  await completeHandshake(connection, protoVersion === undefined ? {} : { params: { proto_version: protoVersion } })
  await peer.client.whenReady(AbortSignal.timeout(60_000))
  return {
    connection,
    post: (body: object) => exchange(http.port, requestBytes('POST', '/v1/chat/completions', JSON.stringify(body))),
    get: (path: string) => exchange(http.port, requestBytes('GET', path)),
    close: async (): Promise<void> => {
      await http.close()
      await peer.dispose()
    },
  }
}
