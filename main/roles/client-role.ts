import { fromNano } from '@ton/core'
import { type HttpPlace, isLoopback } from '../base/http-listener.ts'
import { clientMigrations } from '../client/account-store.ts'
import { Client } from '../client/client.ts'
import { TopUpKeeper } from '../client/top-up-keeper.ts'
import type { Dial } from '../core/dialer.ts'
import type { QuoteJudge } from '../protocol/attestation/quote-verifier.ts'
import type { VersionRange } from '../protocol/handshake/versions.ts'
import type { RouterAddress } from '../protocol/wire/dial-via.ts'
import { openDatabase } from '../storage/database.ts'
import { AttestedQuestions } from './attested-questions.ts'
import { type PolicyName, policyNamedOf, quoteJudge } from './attesting.ts'
import { clientStats } from './client-stats.ts'
import { Closers } from './closers.ts'
import { openClientHttp } from './http/client-http.ts'
import { openKeyFile } from './key-file.ts'
import { drained, type Role } from './role.ts'
import { openRoleFolder } from './role-folder.ts'
import { ownerOf, proxyDialer, type RoleOptions } from './role-options.ts'
import { openRoleWallet } from './role-wallet.ts'

export interface ClientRoleOptions extends RoleOptions {
  readonly http: HttpPlace
  readonly allowOrigin?: string
  readonly policy: PolicyName
  /** Proxies at once. */
  readonly proxies: number
  /** nanoton that may be put on the account with each proxy, again and again when half of them are used; undefined = none. */
  readonly topUp?: bigint
  /** Encrypts requests for a key of the network (protocol 95 §4); without one nothing is sent. */
  readonly encrypts?: boolean
  /** What is asked of the seal of every request (docs/protocol-extensions.md, "Sealed queries"); `offered` by default. */
  readonly seal?: ClientSeal
  /** Protocol versions offered to proxies; those of `Client` by default. */
  readonly versions?: VersionRange
  /** How proxies are reached in place of proof of work and TLS. */
  readonly dial?: Dial
  /** A router on this computer by which proxies are reached. */
  readonly proxyVia?: RouterAddress
  /** In place of a judge that trusts `roots`; nothing that ships gives another (`trust-root.test.ts`). */
  readonly quotes?: QuoteJudge
}

export const clientSeals = ['offered', 'required', 'attested', 'off'] as const
/** `required`: what cannot be sealed to a worker is not sent. `attested`: the same, by what `AttestedQuestions` asks of proxy and worker. */
export type ClientSeal = (typeof clientSeals)[number]

/**
 * A client for programs: an OpenAI-shaped HTTP address whose requests travel over the network (protocol 30).
 * @throws Failure of the folder, the key file, the database, the HTTP port; nothing is left open then
 */
export function startClientRole(options: ClientRoleOptions): Promise<Role> {
  const { network, dataDir, logger, http, seal = 'offered' } = options
  const attested = seal === 'attested' ? new AttestedQuestions(network.root, options.quotes ?? quoteJudge(options)) : undefined
  const closers = new Closers(logger)
  return closers.during(options.signal, async () => {
    closers.addWaitedFor(() => network.close())
    const folder = openRoleFolder(dataDir, network.name, 'client', options.keyFile)
    closers.add(() => folder.release())
    const { keys, created } = openKeyFile(folder.keyFile, 'client')
    const wallet = openRoleWallet(keys.walletKey, ownerOf(options), network.chain)
    closers.addWaitedFor(() => wallet.money?.wallet.close())
    const database = openDatabase(folder.database, clientMigrations, { logger, chainId: network.chainId })
    closers.add(() => database.close())
    const client = new Client({
      root: network.root,
      owner: wallet.address,
      money: wallet.money,
      masterSecret: keys.masterSecret,
      database,
      dial: options.dial ?? proxyDialer({ ...options, ...(attested && { see: attested.see }) }),
      dialChecksImageHashes: options.policy !== 'any',
      sealedQueries: seal !== 'off',
      ...(attested ? { workerPolicy: () => policyNamedOf('tdx', options) } : {}),
      proxyConnections: options.proxies,
      ...(options.topUp === undefined ? {} : { accountTopUp: options.topUp }),
      ...(options.versions === undefined ? {} : { versions: options.versions }),
      logger: logger.room('client'),
    })
    closers.add(() => client.stop())
    if (options.topUp !== undefined && wallet.money !== undefined) {
      const keeper = new TopUpKeeper(client, logger, { amount: options.topUp, lowMark: options.topUp / 2n })
      closers.add(() => keeper.stop())
    }
    const address = await openClientHttp({
      ...http,
      client,
      accessHash: keys.accessHash,
      ...(options.allowOrigin === undefined ? {} : { allowOrigin: options.allowOrigin }),
      ...(options.encrypts === undefined ? {} : { encrypts: options.encrypts }),
      ...(seal === 'off' ? {} : { seal }),
      ...(attested && { objectionTo: attested.objectionTo, mayGo: attested.mayGo, beforeQuestion: attested.renew }),
      stats: () => clientStats({ client, wallet, root: network.root.value, checksHashes: options.policy !== 'any' }),
      hasChain: wallet.money !== undefined,
      topUpNano: () => options.topUp ?? network.root.value?.params.minClientStake,
      network: () => network.root.value?.address,
      logger: logger.room('http'),
    })
    closers.add(() => address.close())
    client.start()
    const spoken = address.host.includes(':') ? `[${address.host}]` : address.host
    return {
      facts: [
        `OpenAI-compatible address: http://${spoken}:${address.port}/v1`,
        sealFacts[seal],
        ...(isLoopback(address.host)
          ? []
          : ['Others on the network can reach it, and whoever can reach it can spend your balance.']),
        ...(wallet.money === undefined ? [] : moneyFacts(wallet.address.toString({ bounceable: false }), options.topUp, created)),
        `Keys and book: ${folder.path}`,
      ],
      stop: async (limitMs) => {
        address.takeNoMore()
        const cut = await drained(() => address.running, limitMs)
        await closers.close()
        return cut
      },
    }
  })
}

const sealFacts: Record<ClientSeal, string> = {
  offered: 'Questions are sealed to a worker where a proxy offers that; elsewhere the proxy can read them.',
  required: 'Questions are sealed to a worker, or not sent.',
  attested:
    'Questions go by an attested proxy, sealed to a worker in an attested machine whose model the network lists, or not at all.',
  off: 'Questions are not sealed: the proxy can read them.',
}

function moneyFacts(wallet: string, topUp: bigint | undefined, created: boolean): string[] {
  const how =
    topUp === undefined
      ? 'No account is opened with a proxy that has none yet: that costs Toncoin, and you allow it with --top-up <TON>.'
      : `Up to ${fromNano(topUp)} TON are put on the account with each proxy, again when half of them are used.`
  return [`Wallet: ${wallet}${created ? ' (new: send Toncoin there)' : ''}`, how]
}
