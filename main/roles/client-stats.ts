import type { Client } from '../client/client.ts'
import type { RootConfig } from '../ton/root-config.ts'
import { jsonNumber, rootJson } from '../ton/root-json.ts'
import { version } from '../version.ts'
import { type RoleWallet, walletStats } from './role-wallet.ts'

/** Data of a client's `/jsonstats` (protocol 30 §8.2) but for the counters. */
export async function clientStats(input: {
  readonly client: Client
  readonly wallet: RoleWallet
  readonly root: RootConfig | null
  readonly checksHashes: boolean
}): Promise<Record<string, unknown>> {
  const { client, wallet, root } = input
  const { balance, json } = await walletStats(wallet)
  const owner = wallet.money?.wallet.owner ?? wallet.address
  return {
    status: {
      wallet_balance: jsonNumber(balance),
      ton_last_synced_at: Math.floor((root?.readAtMs ?? 0) / 1000),
      enabled: client.state.value.connections.some(({ phase }) => phase === 'ready'),
      git_commit: version,
      git_commit_data: '',
    },
    wallet: json,
    localconf: {
      root_address: root?.address.toString() ?? '',
      owner_address: owner.toString({ bounceable: false }),
      check_proxy_hash: input.checksHashes,
      // Its name in newer revisions (protocol 95 §5).
      check_image_hashes: input.checksHashes,
    },
    root_contract_config: root === null ? {} : rootJson(root, String),
    proxy_connections: client.state.value.connections.map((one) => ({
      address: one.endpoint,
      is_ready: one.phase === 'ready',
      proxy_sc_address: one.proxyContract?.toString() ?? '',
    })),
    proxies:
      root === null ? [] : await Promise.all(client.accounts.list(root.address).map((record) => proxyStats(client, record))),
  }
}

const lifeStates = { normal: 0, closing: 1, closed: 2 } as const

async function proxyStats(client: Client, record: ReturnType<Client['accounts']['list']>[number]) {
  // Without a chain, or while it does not answer, there is only what the proxy told.
  const onChain = await client.accounts.read(record.contract).catch(() => undefined)
  const price = record.params.pricePerToken
  const payed = onChain === undefined || price === 0n ? 0n : onChain.balance / price + onChain.tokensUsed
  return {
    proxy_sc_address: record.proxyContract.toString(),
    proxy_public_key: Buffer.from(record.proxyKey).toString('hex'),
    sc_address: record.contract.toString(),
    state: onChain === undefined ? (record.closed ? 2 : 0) : lifeStates[onChain.state],
    tokens_used_proxy_committed_to_blockchain: jsonNumber(record.signedTokens),
    tokens_used_proxy_committed_to_db: jsonNumber(record.dbTokens),
    tokens_used_proxy_max: jsonNumber(record.maxTokens),
    tokens_charged: jsonNumber(onChain?.tokensUsed ?? 0n),
    tokens_payed: jsonNumber(payed),
  }
}
