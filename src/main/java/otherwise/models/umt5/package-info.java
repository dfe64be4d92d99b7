/// umT5 (Chung et al. 2023, arXiv 2304.09151), the text encoder of Wan2.1, under the names of its checkpoint (wan/modules/t5.py); and the
/// way from a prompt to its ids: [PromptCleaning], then [Tokenizer].
///
/// Read [Umt5Block] first, then [Umt5Encoder].
package otherwise.models.umt5;
