import { describe, expect, it } from 'vitest'
import { apiKeyFor } from './api-key.ts'

describe("the operator's API key", () => {
  const env = { COCOON_TON_API_KEY: 'secret' }
  const own = 'https://ton.example.org:8443/api/v2/jsonRPC'
  const withKey = { apiKey: 'secret' }

  it('goes to the public endpoints and to those that the operator names, not to what a network file names', () => {
    expect(apiKeyFor('https://toncenter.com/api/v2/jsonRPC', [], env)).toEqual(withKey)
    expect(apiKeyFor('https://testnet.toncenter.com/api/v2/jsonRPC', [], env)).toEqual(withKey)
    for (const other of [own, 'https://toncenter.com.example.org/api/v2/jsonRPC', 'https://evil.org/?https://toncenter.com'])
      expect(apiKeyFor(other, [], env)).toEqual({})
    expect(apiKeyFor(own, [own], env)).toEqual(withKey)
    expect(apiKeyFor('https://toncenter.com/api/v2/jsonRPC', [], {})).toEqual({})
  })

  it('goes to the host that the operator binds it to', () => {
    const bound = { ...env, COCOON_TON_API_HOST: 'ton.example.org:8443' }
    expect(apiKeyFor(own, [], bound)).toEqual(withKey)
    expect(apiKeyFor('https://ton.example.org/api/v2/jsonRPC', [], bound)).toEqual({})
  })
})
