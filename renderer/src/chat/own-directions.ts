/** A node of the tree that react-markdown draws, as far as it matters here. */
interface TreeNode {
  readonly type: string
  readonly tagName?: string
  properties?: Record<string, unknown>
  readonly children?: readonly TreeNode[]
}

const blocks: ReadonlySet<string> = new Set(['p', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'ul', 'ol', 'blockquote', 'th', 'td'])

/**
 * Rehype plugin: each block of an answer takes the direction of its own first letter, and is isolated by that. So text from right to left
 * reads as it should, and a character that turns the direction around ends with its block. What lies inside a list or a quotation follows it by the
 * style sheet: an element with a direction of its own would not count for that of its parent.
 */
export function ownDirections() {
  return (tree: TreeNode): void => visit(tree)
}

function visit(node: TreeNode): void {
  if (node.type === 'element' && node.tagName !== undefined && blocks.has(node.tagName))
    node.properties = { ...node.properties, dir: 'auto' }
  else for (const child of node.children ?? []) visit(child)
}
