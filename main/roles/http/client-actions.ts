import type { Address } from '@ton/core'
import { asError } from '../../base/failure.ts'
import { type Asked, sendText } from '../../base/http-listener.ts'
import type { Logger } from '../../base/logger.ts'
import type { AccountRecord } from '../../client/account-store.ts'
import type { Client } from '../../client/client.ts'

export interface ClientActionsOptions {
  readonly client: Client
  readonly topUpNano: () => bigint | undefined
  /** Whether there is a blockchain that anything could be asked of. */
  readonly hasChain: boolean
  /** Root contract of the network; undefined until it was read. */
  readonly network: () => Address | undefined
  readonly logger: Logger
}

type Action = (client: Client, account: AccountRecord, topUpNano: bigint) => Promise<unknown>

const actions = new Map<string, Action>([
  ['/request/charge', (client, { contract }) => client.accounts.charge(contract)],
  ['/request/topup', (client, { contract }, topUpNano) => client.accounts.topUp(contract, topUpNano)],
  ['/request/withdraw', (client, { contract }) => client.accounts.withdraw(contract)],
  ['/request/close', (client, { contract }) => client.accounts.requestRefund(contract)],
])

/**
 * `/request/charge`, `topup`, `withdraw`, `close`, each with `?proxy=<address of the proxy contract>` (protocol 30 §8). The answer says at once
 * whether the request was begun; the chain is not waited for, the log tells how it ended.
 */
export function clientActions(options: ClientActionsOptions): (asked: Asked) => void {
  const running = new Set<string>()
  return ({ path, search, response }) => {
    const say = (status: number, text: string): void => sendText(response, status, 'text/html; charset=utf-8', `${text}\n`)
    const action = actions.get(path)
    if (action === undefined) return say(404, 'unknown request')
    if (!options.hasChain) return say(503, 'this network has no blockchain')
    const { client, logger } = options
    const network = options.network()
    const topUpNano = options.topUpNano()
    if (network === undefined || topUpNano === undefined) return say(503, 'proxy is not inited')
    const wanted = search.get('proxy') ?? ''
    const account = client.accounts.list(network).find((one) => isAddress(one.proxyContract, wanted))
    if (account === undefined) return say(404, 'proxy not found')
    if (account.closed) return say(409, 'proxy is closed')
    const name = account.contract.toString()
    if (running.has(name)) return say(409, 'request is already running')
    running.add(name)
    action(client, account, topUpNano)
      .then(
        () => logger.info('a request of the operator is done', { path, account: name }),
        (thrown: unknown) =>
          logger.warn('a request of the operator failed', { path, account: name, reason: asError(thrown).message }),
      )
      .finally(() => running.delete(name))
    say(200, 'request sent')
  }
}

/** Any of the forms in which an address is written. */
function isAddress(address: Address, text: string): boolean {
  const forms = [true, false].flatMap((bounceable) => [true, false].map((testOnly) => address.toString({ bounceable, testOnly })))
  return forms.includes(text) || address.toRawString() === text.toLowerCase()
}
