import { Address } from '@ton/core'
import { z } from 'zod'
import { parseEndpoints } from '../../contracts/net-address.ts'

/** An address in workchain 0, raw or with its checksum. `testOnly` is null where the text does not say. */
export interface ReadAddress {
  readonly address: Address
  readonly testOnly: boolean | null
}

const isRaw = (text: string): boolean => /^0:[0-9a-fA-F]{64}$/.test(text)

export const tonAddress = z
  .string()
  .max(80)
  .transform((text, context): ReadAddress => {
    try {
      if (isRaw(text)) return { address: Address.parseRaw(text), testOnly: null }
      const { address, isTestOnly } = Address.parseFriendly(text)
      if (address.workChain === 0) return { address, testOnly: isTestOnly }
    } catch {
      // Said below, in the same words for every fault: one wrong letter breaks the checksum.
    }
    context.addIssue({ code: 'custom', message: 'is no valid address (check each letter; the checksum decides)' })
    return z.NEVER
  })

/** Of somebody who will own something: with its checksum, because a slip cannot be taken back, and never the address of nobody. */
export const ownerAddress = tonAddress.transform((read, context): ReadAddress & { readonly testOnly: boolean } => {
  const { testOnly } = read
  if (testOnly !== null && !read.address.hash.equals(Buffer.alloc(32))) return { ...read, testOnly }
  const message =
    testOnly === null ? 'is a raw address; write the form with a checksum (EQ…, UQ…, 0Q…, kQ…)' : 'belongs to nobody'
  context.addIssue({ code: 'custom', message })
  return z.NEVER
})

/** What does not fit between an address and the chain that it is meant for; undefined when it fits. */
export function flagFault(testOnly: boolean, chain: 'local' | 'testnet' | 'mainnet'): string | undefined {
  if (testOnly && chain === 'mainnet') return 'is an address of a test network'
  if (!testOnly && chain === 'testnet') return 'is no address of a test network (those begin with kQ or 0Q)'
  return undefined
}

/** Full name of a model, `NAME@COMMIT:HASH`; what is listed is its SHA-256 (protocol 60 §3.4). */
export const modelName = z
  .string()
  .max(300)
  .regex(/^[^\s@]+@[^\s@:]+:[^\s@:]+$/, 'write a full model name, NAME@COMMIT:HASH')

/** 32 bytes as 64 hexadecimal digits or 44 characters of base64. */
export const hash256 = z.string().transform((text, context) => {
  const bytes = /^[0-9a-fA-F]{64}$/.test(text)
    ? Buffer.from(text, 'hex')
    : /^[A-Za-z0-9+/]{43}=$/.test(text)
      ? Buffer.from(text, 'base64')
      : undefined
  if (bytes?.length === 32) return new Uint8Array(bytes)
  context.addIssue({ code: 'custom', message: 'write a hash as 64 hexadecimal digits or as base64 of 32 bytes' })
  return z.NEVER
})

/** `ip:port` for both roles, or `ip:port ip:port`: for workers, then for clients. */
export const proxyEntry = z
  .string()
  .max(64)
  .transform((text, context) => {
    const endpoints = parseEndpoints(text.trim())
    if (endpoints !== null) return endpoints
    context.addIssue({ code: 'custom', message: 'write ip:port, or ip:port ip:port for workers and clients (IPv4 only)' })
    return z.NEVER
  })
