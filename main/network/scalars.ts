import { Address } from '@ton/core'
import { z } from 'zod'
import { parseEndpoints } from '../../contracts/net-address.ts'

/** An address in workchain 0, raw or with its checksum. `testOnly` is null where the text does not say. */
export interface ReadAddress {
  readonly address: Address
  readonly testOnly: boolean | null
}

export const tonAddress = z
  .string()
  .max(80)
  .transform((text, context): ReadAddress => {
    try {
      const friendly = Address.isFriendly(text)
      const address = friendly ? Address.parseFriendly(text).address : Address.parseRaw(text)
      if (address.workChain === 0) return { address, testOnly: friendly ? Address.parseFriendly(text).isTestOnly : null }
    } catch {
      // Said below, in the same words for every fault: one wrong letter breaks the checksum.
    }
    context.addIssue({ code: 'custom', message: 'is no valid address (check each letter; the checksum decides)' })
    return z.NEVER
  })

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
