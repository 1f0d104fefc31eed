/** The public endpoints of toncenter. */
export const publicEndpoints = {
  testnet: ['https://testnet.toncenter.com/api/v2/jsonRPC'],
  mainnet: ['https://toncenter.com/api/v2/jsonRPC'],
} as const

/**
 * The operator's API key for an endpoint: `COCOON_TON_API_KEY`. Whoever writes a network file names its endpoints, so the key goes only to
 * the public ones, to those that the operator names in the command, and to the host (`host` or `host:port`) in `COCOON_TON_API_HOST`.
 */
export function apiKeyFor(
  endpoint: string,
  named: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): { apiKey?: string } {
  const { COCOON_TON_API_KEY: apiKey, COCOON_TON_API_HOST: host } = env
  const usual: readonly string[] = [...publicEndpoints.testnet, ...publicEndpoints.mainnet]
  const known =
    usual.includes(endpoint) || named.includes(endpoint) || (URL.canParse(endpoint) && new URL(endpoint).host === host)
  return apiKey !== undefined && known ? { apiKey } : {}
}
