import { z } from 'zod'
import { contractCode } from '../../contracts/code.ts'
import { Failure } from '../base/failure.ts'
import type { Chain } from '../ton/chain.ts'
import { parseBy, readJsonFile } from './json-file.ts'
import type { HashKind, OwnerWish } from './owner-wish.ts'
import { amount, duration, factor } from './quantities.ts'
import { flagFault, hash256, modelName, ownerAddress, proxyEntry } from './scalars.ts'
import { modelHash, type NetworkTerms, readTerms } from './terms.ts'

/* What an operator wrote on the command line, turned into terms and wishes. */

/** Options by their name without dashes; undefined where not given. */
export type Words = Readonly<Record<string, string | undefined>>

const mostConfigBytes = 256 * 1024

const optionToField = {
  name: 'name',
  owner: 'owner',
  price: 'price',
  'worker-fee': 'workerFee',
  'proxy-delay': 'proxyDelay',
  'client-delay': 'clientDelay',
  'proxy-stake': 'minProxyStake',
  'client-stake': 'minClientStake',
  reserve: 'reserve',
} as const

/**
 * Terms of a new network from a file, with the options of the command line over it.
 * @throws Failure of the file, `file-malformed`, `terms-invalid`
 */
export function termsFromWords(
  words: Words,
  lists: { readonly config?: string; readonly proxies: readonly string[]; readonly on: Chain['kind'] },
): NetworkTerms {
  const file =
    lists.config === undefined
      ? {}
      : readJsonFile(lists.config, 'The description of the network', mostConfigBytes, z.record(z.string(), z.unknown()))
  const given: Record<string, unknown> = { ...file }
  for (const [option, field] of Object.entries(optionToField)) if (words[option] !== undefined) given[field] = words[option]
  if (words.multipliers !== undefined) given.multipliers = multiplierWords(words.multipliers)
  if (words['is-test'] !== undefined) given.isTest = yesNo('is-test', words['is-test'])
  if (lists.proxies.length > 0) given.proxies = lists.proxies
  return readTerms(given, lists.on)
}

const kinds = z.enum(['proxy', 'worker', 'model'])
const seqno = z
  .string()
  .regex(/^\d{1,10}$/, 'write the number of the proxy, as "network show" prints it')
  .transform(Number)
const seconds = z.iso
  .datetime({ offset: true })
  .transform((text) => Math.floor(Date.parse(text) / 1000))
  .refine((value) => value > 0 && value <= 0xffff_ffff)

/** Owner's commands and the positional words that each takes after the network. */
export const wishPositionals = {
  'set-price': [],
  'set-params': [],
  'set-multipliers': ['multipliers'],
  'register-proxy': ['addresses'],
  'update-proxy': ['seqno', 'addresses'],
  'unregister-proxy': ['seqno'],
  'add-hash': ['hash'],
  'remove-hash': ['hash'],
  'upgrade-contracts': [],
  'change-owner': ['owner'],
  'add-public-key': ['public-key'],
  'change-key-manager': ['public-key'],
} as const satisfies Record<OwnerWish['kind'], readonly string[]>

/** @throws Failure `file-malformed` naming the option that does not fit, also to the chain that the network is on */
export function wishFromWords(kind: OwnerWish['kind'], words: Words, on: Chain['kind']): OwnerWish {
  const read = <T>(name: string, schema: z.ZodType<T>): T => {
    if (words[name] === undefined) throw new Failure('option-missing', `${kind} needs ${wordName(kind, name)}.`)
    return parseBy(schema, words[name], wordName(kind, name))
  }
  const maybe = <T, K extends string>(name: string, key: K, schema: z.ZodType<T>): { [P in K]?: T } =>
    words[name] === undefined ? {} : ({ [key]: read(name, schema) } as { [P in K]: T })
  switch (kind) {
    case 'set-price':
      return { kind, price: read('price', amount), workerFee: read('worker-fee', amount) }
    case 'set-params':
      return {
        kind,
        ...maybe('price', 'price', amount),
        ...maybe('worker-fee', 'workerFee', amount),
        ...maybe('proxy-delay', 'proxyDelay', duration),
        ...maybe('client-delay', 'clientDelay', duration),
        ...maybe('proxy-stake', 'minProxyStake', amount),
        ...maybe('client-stake', 'minClientStake', amount),
      }
    case 'set-multipliers': {
      return { kind, multipliers: parseBy(multiplierSchema, multiplierWords(words.multipliers ?? ''), 'The multipliers') }
    }
    case 'register-proxy':
      return { kind, endpoints: read('addresses', proxyEntry) }
    case 'update-proxy':
      return { kind, seqno: read('seqno', seqno), endpoints: read('addresses', proxyEntry) }
    case 'unregister-proxy':
      return { kind, seqno: read('seqno', seqno) }
    case 'add-hash':
    case 'remove-hash': {
      const of: HashKind = read('kind', kinds)
      // A full model name is easier to get right than its hash.
      if (of !== 'model' || words.hash?.includes('@') !== true) return { kind, of, hash: read('hash', hash256) }
      const name = read('hash', modelName)
      return { kind, of, hash: modelHash(name), name }
    }
    case 'upgrade-contracts':
      return { kind, proxy: contractCode.proxy, worker: contractCode.worker, client: contractCode.client }
    case 'change-owner':
      return {
        kind,
        owner: read(
          'owner',
          ownerAddress.transform(({ address, testOnly }, context) => {
            const message = flagFault(testOnly, on)
            if (message === undefined) return address
            context.addIssue({ code: 'custom', message })
            return z.NEVER
          }),
        ),
      }
    case 'add-public-key':
      return {
        kind,
        publicKey: read('public-key', hash256),
        type: read(
          'key-type',
          z
            .string()
            .regex(/^\d{1,3}$/)
            .transform(Number)
            .refine((value) => value <= 255),
        ),
        expiresAtSec: read('expires', seconds),
      }
    case 'change-key-manager':
      return {
        kind,
        publicKey: read('public-key', hash256),
        imageHash: read('image-hash', hash256),
        endpoints: words.addresses === undefined ? null : read('addresses', proxyEntry),
      }
  }
}

const multiplierSchema = z.strictObject({ prompt: factor, cached: factor, completion: factor, reasoning: factor })

function wordName(kind: OwnerWish['kind'], name: string): string {
  const positional: readonly string[] = wishPositionals[kind]
  return positional.includes(name) ? `<${name}>` : `--${name}`
}

function multiplierWords(text: string): Record<string, string | undefined> {
  const [prompt, cached, completion, reasoning, ...more] = text.split(',').map((part) => part.trim())
  if (reasoning !== undefined && more.length === 0) return { prompt, cached, completion, reasoning }
  throw new Failure('option-missing', 'The multipliers are four factors: prompt, cached, completion, reasoning, as 1,0.1,8,8.')
}

function yesNo(name: string, text: string): boolean {
  if (text === 'yes' || text === 'no') return text === 'yes'
  throw new Failure('file-malformed', `--${name} is yes or no.`)
}
