/** A node of the tree that react-markdown draws, as far as it matters here. */
interface TreeNode {
  tagName?: string
  children?: TreeNode[]
}

/** The page's own headings end with the name of who answers. */
const namesWhoAnswers = 2
const lowest = 6

/**
 * Rehype plugin: the headings of an answer stand below that of its turn, each at most one below the one before, whatever levels a model picks; else the
 * page would have several titles, and whoever goes through it by its headings would miss levels in between. One without words is left out, and a
 * head of a column without words is an ordinary cell.
 */
export function answerOutline() {
  return (tree: TreeNode): void => visit(tree, [])
}

/** @param open levels, as the model wrote them, of the headings that the present place is below */
function visit(node: TreeNode, open: number[]): void {
  if (node.children === undefined) return
  node.children = node.children.filter((child) => levelOf(child) === undefined || !isEmpty(child))
  for (const child of node.children) {
    const level = levelOf(child)
    if (level !== undefined) {
      while ((open.at(-1) ?? 0) >= level) open.pop()
      open.push(level)
      child.tagName = `h${Math.min(namesWhoAnswers + open.length, lowest)}`
    } else if (child.tagName === 'th' && isEmpty(child)) child.tagName = 'td'
    visit(child, open)
  }
}

function levelOf({ tagName }: TreeNode): number | undefined {
  const level = /^h([1-6])$/.exec(tagName ?? '')?.[1]
  return level === undefined ? undefined : Number(level)
}

const isEmpty = ({ children }: TreeNode): boolean => children === undefined || children.length === 0
