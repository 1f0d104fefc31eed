import { Failure } from '../base/failure.ts'
import type { ApiRequest } from '../gateway/api-request.ts'
import { ApiRefusal } from '../gateway/refusal.ts'
import { JsonGrammar } from '../inference/json-grammar.ts'
import { BadRequest, parseRequest } from '../inference/openai-request.ts'

/**
 * Judges a request before it is sent and paid for as the worker's engine will: what that refuses is refused here already.
 * @param body as it will be sent
 * @throws ApiRefusal
 */
export function checkByEngine({ endpoint }: Pick<ApiRequest, 'endpoint'>, body: string, model: string): void {
  try {
    const kind = endpoint === 'chat' ? 'chat' : 'complete'
    const { output } = parseRequest(kind, new TextEncoder().encode(body), model).options
    if (output?.kind === 'json-schema') new JsonGrammar().schema(output.schema)
  } catch (thrown) {
    if (thrown instanceof BadRequest) {
      const { message, param, code, status } = thrown
      throw new ApiRefusal(message, { status, ...(param !== null && { param }), ...(code !== null && { code }) })
    }
    if (thrown instanceof Failure && thrown.code === 'bad-schema')
      throw new ApiRefusal(thrown.message, { param: 'response_format', code: 'invalid_json_schema', cause: thrown })
    throw thrown
  }
}
