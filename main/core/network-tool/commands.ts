import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import type { Address } from '@ton/core'
import { Failure } from '../../base/failure.ts'
import { parseBy } from '../../network/json-file.ts'
import { chainEndpoints, readChainNetwork } from '../../network/network-file.ts'
import { termsFromWords, type Words, wishFromWords, wishPositionals } from '../../network/operator-words.ts'
import type { OwnerWish } from '../../network/owner-wish.ts'
import { amount } from '../../network/quantities.ts'
import { tonAddress } from '../../network/scalars.ts'
import type { Chain } from '../../ton/chain.ts'
import { deployNetwork } from './deploy.ts'
import { giveCoins } from './give-coins.ts'
import type { Operator } from './operator.ts'
import { carryOutWish } from './owner-order.ts'
import { showNetwork } from './show.ts'
import { type AskSecret, openSigner, type Signer, type SignerChoice } from './signer.ts'
import { openToolChain, type ToolChain, type ToolChainOptions } from './tool-chain.ts'

/** What every command of `cocoon-desktop network` is given. */
export interface CommandContext extends Pick<ToolChainOptions, 'dataDir' | 'vaultPassword' | 'entries' | 'logger'> {
  readonly on: Chain['kind'] | undefined
  /** Instead of the usual one or those of the network file. */
  readonly endpoints: readonly string[]
  readonly operator: Operator
}

export interface SigningContext extends CommandContext {
  readonly signer: SignerChoice
  readonly ask: AskSecret
  /** Shows the link that connects a wallet of another program. */
  readonly showLink: (link: string) => void
  readonly dryRun: boolean
}

/** Owner's commands, and the words that each takes after the network. */
export const ownerCommands: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(wishPositionals))

/** `network deploy`. Resolves with false when nothing was to be sent by the operator's will. */
export async function deployCommand(
  context: SigningContext,
  words: Words,
  lists: { readonly config?: string; readonly out?: string; readonly proxies: readonly string[] },
): Promise<boolean> {
  const { on } = context
  if (on === undefined) throw new Failure('option-missing', 'Where to deploy has to be said: --on local, testnet or mainnet.')
  const { config, proxies } = lists
  const terms = termsFromWords(words, { on, proxies, ...(config === undefined ? {} : { config }) })
  const out = lists.out ?? `${terms.name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '-') || 'network'}.network.json`
  const options = {
    terms,
    out,
    dryRun: context.dryRun,
    ...(context.endpoints.length === 0 ? {} : { endpoints: context.endpoints }),
  }
  return signing(context, { on, endpoints: checkedEndpoints(context.endpoints) }, (tool, signer) =>
    deployNetwork(tool, signer, options, context.operator),
  )
}

/** `network show`. */
export async function showCommand(context: CommandContext, target: string): Promise<void> {
  const place = placeOf(context, target)
  const tool = await openPlace(context, place)
  try {
    await showNetwork(tool, place.root, context.operator)
  } finally {
    await tool.close()
  }
}

/** `network test-coins`, on the local chain. Resolves with false when nothing was to be sent by the operator's will. */
export async function testCoinsCommand(
  context: CommandContext & Pick<SigningContext, 'dryRun'>,
  address: string,
  words: string,
): Promise<boolean> {
  if (context.on !== undefined && context.on !== 'local')
    throw new Failure('no-test-coins', 'Test coins are given on the local chain alone.', { money: 'Nothing was sent.' })
  const { address: to } = parseBy(tonAddress, address, 'The address')
  const nano = parseBy(amount, words, 'The amount')
  const tool = await openPlace(context, { on: 'local' })
  try {
    return await giveCoins(tool, { to, amount: nano, dryRun: context.dryRun }, context.operator)
  } finally {
    await tool.close()
  }
}

/** The owner's commands. Resolves with false when nothing was to be sent by the operator's will. */
export async function wishCommand(context: SigningContext, target: string, command: string, words: Words): Promise<boolean> {
  const place = placeOf(context, target)
  // The names of the commands are those of the wishes.
  const wish = wishFromWords(command as OwnerWish['kind'], words, place.on)
  return signing(context, place, (tool, signer) =>
    carryOutWish(tool, signer, { root: place.root, wish, dryRun: context.dryRun }, context.operator),
  )
}

interface Place {
  readonly on: Chain['kind']
  readonly endpoints?: readonly string[]
}

/** A network file, or the address of a network contract with `--on`. */
function placeOf(context: CommandContext, target: string): Place & { readonly root: Address } {
  const given = checkedEndpoints(context.endpoints)
  if (existsSync(target)) {
    const { chain, root } = readChainNetwork(target)
    if (context.on !== undefined && context.on !== chain.kind)
      throw new Failure('place-differs', `${basename(target)} is a network on ${chain.kind}, not on ${context.on}.`)
    const endpoints = given ?? chain.endpoints
    return { on: chain.kind, root, ...(endpoints === undefined ? {} : { endpoints }) }
  }
  const { address, testOnly } = parseBy(tonAddress, target, 'There is no such file, and as an address it')
  if (context.on === undefined)
    throw new Failure('option-missing', 'Where this contract is has to be said: --on local, testnet or mainnet.')
  if (testOnly === true && context.on === 'mainnet')
    throw new Failure('place-differs', 'This is an address of a test network, not of the main network.')
  return { on: context.on, root: address, ...(given === undefined ? {} : { endpoints: given }) }
}

function checkedEndpoints(endpoints: readonly string[]): readonly string[] | undefined {
  return endpoints.length === 0 ? undefined : parseBy(chainEndpoints(8), endpoints, '--endpoint')
}

function openPlace(context: CommandContext, place: Place): Promise<ToolChain> {
  const { dataDir, vaultPassword, entries, logger, endpoints } = context
  return openToolChain({
    on: place.on,
    dataDir,
    vaultPassword,
    entries,
    logger,
    ...(place.endpoints === undefined ? {} : { endpoints: place.endpoints }),
    named: endpoints,
  })
}

async function signing(
  context: SigningContext,
  place: Place | { readonly on: Chain['kind']; readonly endpoints: readonly string[] | undefined },
  work: (tool: ToolChain, signer: Signer) => Promise<boolean>,
): Promise<boolean> {
  const { endpoints } = place
  const tool = await openPlace(context, { on: place.on, ...(endpoints === undefined ? {} : { endpoints }) })
  try {
    const signer = await openSigner(context.signer, tool.chain, {
      faucet: tool.faucet,
      ask: context.ask,
      showLink: context.showLink,
    })
    try {
      return await work(tool, signer)
    } finally {
      await signer.close()
    }
  } finally {
    await tool.close()
  }
}
