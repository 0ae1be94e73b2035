"""What is asked by GraphQL. Checked against GitHub's schema by the tests."""

from collections.abc import Sequence

from supervisor.adapters.kanban.github.refs import Ref

_LIGHT = """
fragment Light on ProjectV2Item {
  id type updatedAt
  content { __typename ... on Issue { updatedAt } ... on DraftIssue { updatedAt } }
}
"""
_WHOLE = """
fragment Whole on ProjectV2Item {
  id type isArchived updatedAt fullDatabaseId
  status: fieldValueByName(name: "Status") { ... on ProjectV2ItemFieldSingleSelectValue { optionId } }
  priority: fieldValueByName(name: "Priority") {
    ... on ProjectV2ItemFieldSingleSelectValue { name }
    ... on ProjectV2ItemFieldNumberValue { number }
  }
  content {
    __typename
    ... on Issue {
      id number title body url state stateReason updatedAt
      repository { nameWithOwner }
      labels(first: 100) { nodes { name } }
    }
    ... on DraftIssue { id title body updatedAt }
  }
}
"""
_FIELDS = """
fragment Fields on ProjectV2 {
  id
  fields(first: 100) {
    nodes {
      ... on ProjectV2FieldCommon { id name dataType }
      ... on ProjectV2SingleSelectField { options { id name } }
    }
  }
}
"""
ITEMS = f"""
query Items($owner: String!, $number: Int!, $after: String, $whole: Boolean!, $light: Boolean!) {{
  repositoryOwner(login: $owner) {{
    ... on ProjectV2Owner {{
      projectV2(number: $number) {{
        ...Fields
        items(first: 100, after: $after) {{
          pageInfo {{ hasNextPage endCursor }}
          nodes {{ ...Light @include(if: $light) ...Whole @include(if: $whole) }}
        }}
      }}
    }}
  }}
}}
{_FIELDS}{_LIGHT}{_WHOLE}"""
"""One page of a project's items, whole or only what tells whether they changed; with the fields."""

SOME = f"""
query Some($owner: String!, $number: Int!, $ids: [ID!]!) {{
  repositoryOwner(login: $owner) {{ ... on ProjectV2Owner {{ projectV2(number: $number) {{ ...Fields }} }} }}
  nodes(ids: $ids) {{ ...Whole }}
}}
{_FIELDS}{_WHOLE}"""
"""Items by their ids; with the project, which proves that the token still sees it."""

CHOOSE = """
mutation Choose($project: ID!, $item: ID!, $field: ID!, $option: String!) {
  updateProjectV2ItemFieldValue(
    input: {projectId: $project, itemId: $item, fieldId: $field, value: {singleSelectOptionId: $option}}
  ) { projectV2Item { id } }
}
"""
ADD_DRAFT = """
mutation AddDraft($project: ID!, $title: String!, $body: String!) {
  addProjectV2DraftIssue(input: {projectId: $project, title: $title, body: $body}) { projectItem { id } }
}
"""
EDIT_DRAFT = """
mutation EditDraft($draft: ID!, $title: String, $body: String) {
  updateProjectV2DraftIssue(input: {draftIssueId: $draft, title: $title, body: $body}) { draftIssue { id } }
}
"""
COMMENTS = """
query Comments($issue: ID!, $after: String) {
  node(id: $issue) {
    ... on Issue {
      comments(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes { id body viewerDidAuthor }
      }
    }
  }
}
"""
ADD_COMMENT = """
mutation AddComment($issue: ID!, $body: String!) {
  addComment(input: {subjectId: $issue, body: $body}) { clientMutationId }
}
"""
EDIT_COMMENT = """
mutation EditComment($comment: ID!, $body: String!) {
  updateIssueComment(input: {id: $comment, body: $body}) { issueComment { id } }
}
"""


def closed_query(refs: Sequence[Ref]) -> tuple[str, dict[str, str | int]]:
    """Whether each of some issues or pull requests is closed: a query with the aliases r0, r1, and so on."""
    variables: dict[str, str | int] = {}
    declared, asked = [], []
    for index, ref in enumerate(refs):
        owner, _, name = ref.repo.partition("/")
        variables |= {f"o{index}": owner, f"n{index}": name, f"i{index}": ref.number}
        declared.append(f"$o{index}: String!, $n{index}: String!, $i{index}: Int!")
        asked.append(
            f"r{index}: repository(owner: $o{index}, name: $n{index}) {{"
            f" found: issueOrPullRequest(number: $i{index}) {{ ... on Closable {{ closed }} }} }}"
        )
    return f"query Closed({', '.join(declared)}) {{\n{chr(10).join(asked)}\n}}", variables
